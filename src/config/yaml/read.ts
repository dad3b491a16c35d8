import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLError,
  type YAMLMap,
  YAMLParseError,
} from "yaml";
import { nearest } from "../nearest.ts";
import type { Finding } from "../problem.ts";
import type { SourceText } from "../source-text.ts";
import { findOverload } from "./guard.ts";
import { explainYamlError } from "./messages.ts";
import { lexemesOf } from "./tokens.ts";
import type { ListTree, MapEntry, MapTree, Span, Tree } from "./tree.ts";

/** Largest text, in bytes of UTF-8; a table of 10,000 servers is a tenth of it. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Deepest nesting; the deepest useful path has ten steps. */
export const MAX_DEPTH = 32;
/** Most values after aliases are written out; 10,000 servers with five checks each stay below it. */
export const MAX_NODES = 300_000;
/** Most complaints about syntax: the first ones matter, later ones follow from them. */
const MAX_SYNTAX_PROBLEMS = 10;

/** A finding with its place in the text that was read. */
export interface PlacedFinding extends Finding {
  readonly span: Span;
  readonly related?: { readonly message: string; readonly span: Span };
}

export interface ReadOutcome {
  /** null = the text cannot be used at all. */
  readonly tree: Tree | null;
  readonly findings: readonly PlacedFinding[];
}

/** Reads YAML 1.2 (core schema, merge keys) into a tree with places. Never throws: what is wrong are the findings. */
export function readYaml(source: SourceText): ReadOutcome {
  const { text } = source;
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    return refused({ ...tooLarge(), span: { from: 0, to: 0 } });
  }
  // Cut once for both who read the pieces, as cutting is a third of what reading a long file takes, and no further than the first
  // reader gets.
  const lexemes: string[] = [];
  const overload = findOverload(keeping(lexemesOf(text), lexemes), MAX_DEPTH);
  if (overload !== null) return refused(overload);
  const document = composeDocument(lexemes, text.length);
  const directive = document.directives?.yaml;
  if (directive?.explicit === true && directive.version !== "1.2") {
    const hint = "remove the %YAML line; holdfast reads YAML 1.2, where yes and no are text";
    return refused({ code: "bad-yaml", span: { from: 0, to: 5 }, message: "a file for another version of YAML", hint });
  }
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (errors.length > 0) return { tree: null, findings: syntaxFindings(source, errors) };
  if (document.contents === null) return { tree: null, findings: [] };
  return new TreeBuilder().build(document.contents);
}

/** Passes on what there is, and keeps it. */
function* keeping<Value>(values: Iterable<Value>, into: Value[]): Generator<Value> {
  for (const value of values) {
    into.push(value);
    yield value;
  }
}

/** What the library's `parseDocument` makes of a text, from its lexemes. */
function composeDocument(lexemes: Iterable<string>, length: number): Document.Parsed<ParsedNode> {
  const composer = new Composer<ParsedNode>({
    version: "1.2",
    prettyErrors: false,
    logLevel: "error",
    // Keys are compared below, with a table: the library's own comparison is quadratic.
    uniqueKeys: false,
    resolveKnownTags: false,
  });
  const [document, second] = composer.compose(syntaxOf(lexemes), true, length);
  // Where asked to, the composer ends with a document whatever the text.
  if (document === undefined) throw new Error("a text without a document");
  if (second !== undefined) {
    const [from, to] = second.range;
    document.errors.push(new YAMLParseError([from, to], "MULTIPLE_DOCS", "several documents"));
  }
  return document;
}

function* syntaxOf(lexemes: Iterable<string>): Generator<CST.Token> {
  const parser = new Parser();
  for (const lexeme of lexemes) yield* parser.next(lexeme);
  yield* parser.end();
}

function syntaxFindings(source: SourceText, errors: readonly YAMLError[]): PlacedFinding[] {
  const findings: PlacedFinding[] = [];
  let lastLine = Number.NEGATIVE_INFINITY;
  for (const error of errors) {
    const { line } = source.locate(error.pos[0]);
    // What the parser says about the same line or the next one follows from the first complaint.
    if (line <= lastLine + 1) continue;
    lastLine = line;
    const { from, to, message, hint } = explainYamlError(error, source.text);
    findings.push({ code: "bad-yaml", span: { from, to }, message, hint });
    if (findings.length === MAX_SYNTAX_PROBLEMS) break;
  }
  return findings;
}

export function tooLarge(): Finding {
  const message = `the file is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`;
  return { code: "too-large", message, hint: "split it with include" };
}

function refused(finding: PlacedFinding): ReadOutcome {
  return { tree: null, findings: [finding] };
}

/** Ends the building: the rest of the document cannot be understood, or should not be. */
class Unbuildable extends Error {}

/** Turns the library's nodes into a Tree, resolving aliases and merge keys. */
class TreeBuilder {
  readonly #findings: PlacedFinding[] = [];
  /** Anchors seen so far; bounded by the nodes of the document. */
  readonly #anchors = new Map<string, Tree>();
  /** Anchors of collections that are still being built; bounded by MAX_DEPTH. */
  readonly #open = new Set<string>();

  build(root: Node): ReadOutcome {
    try {
      const tree = this.#node(root, 0);
      return { tree, findings: this.#findings };
    } catch (thrown) {
      if (thrown instanceof Unbuildable) return { tree: null, findings: this.#findings };
      throw thrown;
    }
  }

  #refuse(finding: PlacedFinding): never {
    this.#findings.push(finding);
    throw new Unbuildable();
  }

  #node(node: Node | null | undefined, depth: number): Tree {
    const span = spanOfNode(node);
    if (depth > MAX_DEPTH) {
      this.#refuse({ code: "too-complex", span, message: `nested deeper than ${MAX_DEPTH} levels` });
    }
    if (isAlias(node)) return this.#alias(node.source, span);
    const anchor = node === null || node === undefined || !("anchor" in node) ? undefined : node.anchor;
    if (anchor !== undefined) this.#open.add(anchor);
    const tree = this.#unaliased(node, span, depth);
    if (anchor !== undefined) {
      this.#open.delete(anchor);
      this.#anchors.set(anchor, tree);
    }
    if (tree.size > MAX_NODES) {
      const message = `more than ${MAX_NODES} values once aliases are written out`;
      this.#refuse({ code: "too-complex", span, message, hint: "use fewer aliases inside anchors" });
    }
    return tree;
  }

  #unaliased(node: Node | null | undefined, span: Span, depth: number): Tree {
    if (isMap(node)) return this.#map(node, span, depth);
    if (isSeq(node)) {
      const items: Tree[] = [];
      let size = 1;
      for (const item of node.items) {
        const tree = this.#node(item as Node | null, depth + 1);
        size += tree.size;
        items.push(tree);
      }
      return { kind: "list", span, size, items } satisfies ListTree;
    }
    const value = isScalar(node) ? (node as Scalar).value : null;
    if (value !== null && typeof value === "object") return { kind: "scalar", span, size: 1, value: String(value) };
    return { kind: "scalar", span, size: 1, value: value as string | number | boolean | null };
  }

  #alias(name: string, span: Span): Tree {
    const tree = this.#anchors.get(name);
    if (tree !== undefined) return tree;
    if (this.#open.has(name)) {
      this.#refuse({
        code: "bad-yaml",
        span,
        message: `\`*${name.slice(0, 60)}\` refers to the value that it is part of`,
      });
    }
    const near = nearest(name.slice(0, 60), this.#anchors.keys());
    return this.#refuse({
      code: "bad-yaml",
      span,
      message: `\`*${name.slice(0, 60)}\` refers to an anchor that is not defined above`,
      hint:
        near === undefined
          ? "define it with `&NAME` above; a value that begins with `*` belongs in quotes"
          : `did you mean \`*${near}\`?`,
    });
  }

  #map(node: YAMLMap, span: Span, depth: number): MapTree {
    const own = new Map<string, MapEntry>();
    const merged: { readonly tree: Tree; readonly key: Span }[] = [];
    let size = 1;
    for (const pair of node.items) {
      const key = pair.key as Node | null;
      const keySpan = spanOfNode(key);
      if (!isScalar(key) || key.value === null) {
        this.#findings.push({
          code: "bad-yaml",
          span: keySpan,
          message: "a key must be a plain word",
          hint: "braces and `?` cannot stand on the left of a colon here",
        });
        continue;
      }
      const name = key.type === "PLAIN" ? (key.source ?? String(key.value)) : String(key.value);
      const value = this.#node(pair.value as Node | null, depth + 1);
      if (name === "<<" && key.type === "PLAIN") {
        merged.push({ tree: value, key: keySpan });
        continue;
      }
      if (name === "__proto__") {
        this.#findings.push({ code: "bad-yaml", span: keySpan, message: "`__proto__` cannot be used as a key" });
        continue;
      }
      const first = own.get(name);
      if (first !== undefined) {
        this.#findings.push({
          code: "duplicate-key",
          span: keySpan,
          message: `the key \`${name.slice(0, 60)}\` stands here for the second time`,
          hint: "keep one of the two",
          related: { message: "first defined", span: first.key },
        });
        continue;
      }
      size += value.size;
      own.set(name, { key: keySpan, value });
    }
    for (const { tree, key } of merged) size += this.#merge(own, tree, key);
    return { kind: "map", span, size, entries: own };
  }

  /** Merge key: keys that are already there win, and so do earlier maps of a list. */
  #merge(into: Map<string, MapEntry>, from: Tree, key: Span): number {
    let size = 0;
    for (const source of from.kind === "list" ? from.items : [from]) {
      if (source.kind !== "map") {
        this.#findings.push({
          code: "bad-yaml",
          span: key,
          message: "`<<` merges maps only",
          hint: "write `<<: *ANCHOR` of a map",
        });
        continue;
      }
      for (const [name, entry] of source.entries) {
        if (into.has(name)) continue;
        into.set(name, entry);
        size += entry.value.size;
      }
    }
    return size;
  }
}

function spanOfNode(node: Node | null | undefined): Span {
  const range = node?.range;
  return range === null || range === undefined ? { from: 0, to: 0 } : { from: range[0], to: range[1] };
}
