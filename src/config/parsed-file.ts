import type { ConfigProblem, Finding, KeyPath, Location, SourceFile } from "./problem.ts";
import { formatKeyPath } from "./problem.ts";
import { hideSecrets } from "./secrets.ts";
import { SourceText } from "./source-text.ts";
import { type PlacedFinding, readYaml } from "./yaml/read.ts";
import { keySpanAt, type Span, spanOf, type Tree, toPlain, valueAt } from "./yaml/tree.ts";

/** One file after parsing: its values, and where each stands. */
export class ParsedFile {
  readonly source: SourceText;
  /** null = the text could not be understood; `problems` say why, or the file is empty. */
  readonly tree: Tree | null;
  readonly problems: readonly ConfigProblem[];

  constructor(file: SourceFile) {
    // Editors on other systems put a byte order mark in front; it would shift the columns of the first line.
    this.source = new SourceText({ ...file, text: file.text.replace(/^\ufeff/, "") });
    const { tree, findings } = controlCharacter(this.source.text) ?? readYaml(this.source);
    this.tree = tree;
    if (tree !== null) hideSecrets(this.source, tree);
    // A tree that was built without complaint holds every value; otherwise lines are judged by their looks as well.
    if (tree !== null && findings.length === 0) this.source.secretsAreKnown();
    this.problems = findings.map((finding) => this.#problemAtSpan(finding.span, "", finding, finding.related));
  }

  /** The value at a path as plain data; undefined where there is none. */
  plainAt(path: KeyPath): unknown {
    const node = this.tree === null ? undefined : valueAt(this.tree, path);
    return node === undefined ? undefined : toPlain(node);
  }

  has(path: KeyPath): boolean {
    return this.tree !== null && valueAt(this.tree, path) !== undefined;
  }

  locate(path: KeyPath): Location {
    return this.source.locate(this.#span(path).from);
  }

  /** A problem at the value of a path, or at the nearest key above where there is no value to point at. */
  problem(path: KeyPath, finding: Finding, related: readonly ConfigProblem["related"][number][] = []): ConfigProblem {
    const shown = finding.code === "missing-key" ? path : this.#writtenPart(path);
    return { ...this.#problemAtSpan(this.#span(path), formatKeyPath(shown), finding), related };
  }

  /** The part of a path that the file spells out: a server may be a map with an address, or the address itself. */
  #writtenPart(path: KeyPath): KeyPath {
    let length = path.length;
    while (length > 0 && !this.has(path.slice(0, length))) length -= 1;
    return path.slice(0, length);
  }

  /** A problem at the key itself. */
  problemAtKey(
    path: KeyPath,
    finding: Finding,
    related: readonly ConfigProblem["related"][number][] = [],
  ): ConfigProblem {
    const span = (this.tree === null ? undefined : keySpanAt(this.tree, path)) ?? this.#span(path);
    return { ...this.#problemAtSpan(span, formatKeyPath(path), finding), related };
  }

  #span(path: KeyPath): Span {
    return this.tree === null ? { from: 0, to: 0 } : spanOf(this.tree, path);
  }

  #problemAtSpan(span: Span, keyPath: string, finding: Finding, related?: PlacedFinding["related"]): ConfigProblem {
    return {
      severity: finding.severity ?? "error",
      code: finding.code,
      location: this.source.locate(span.from),
      excerpt: this.source.excerpt(span.from, span.to),
      keyPath,
      message: finding.message,
      expected: finding.expected ?? null,
      hint: finding.hint ?? null,
      related:
        related === undefined ? [] : [{ message: related.message, location: this.source.locate(related.span.from) }],
    };
  }
}

/** YAML forbids control characters, and a lone carriage return would make lines that nobody counts. */
function controlCharacter(text: string): { tree: null; findings: readonly PlacedFinding[] } | null {
  const match = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufeff]|\r(?!\n)/.exec(text);
  if (match === null) return null;
  const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const isNul = code === "0000";
  const finding: PlacedFinding = {
    code: "bad-yaml",
    span: { from: match.index, to: match.index + 1 },
    message: `the control character U+${code} does not belong in a configuration file`,
    hint: isNul ? "this may not be a text file, or it was saved as UTF-16; save it as UTF-8" : "remove it",
  };
  return { tree: null, findings: [finding] };
}
