import type { KeyPath } from "../problem.ts";

/** Offsets [from, to) in the text of one file. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * A YAML value that knows where it stands. Aliases share the node of their anchor, so the tree is a directed acyclic
 * graph: `size` counts nodes as if every alias were written out, and is bounded by the reader.
 */
export type Tree = ScalarTree | MapTree | ListTree;

export interface ScalarTree {
  readonly kind: "scalar";
  readonly span: Span;
  readonly size: 1;
  readonly value: string | number | boolean | null;
}

export interface MapEntry {
  readonly key: Span;
  readonly value: Tree;
}

export interface MapTree {
  readonly kind: "map";
  readonly span: Span;
  readonly size: number;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface ListTree {
  readonly kind: "list";
  readonly span: Span;
  readonly size: number;
  readonly items: readonly Tree[];
}

/** The child at one step; undefined where the tree has none. */
function child(tree: Tree, step: string | number): { key: Span | null; value: Tree } | undefined {
  if (tree.kind === "map") {
    const entry = tree.entries.get(String(step));
    return entry === undefined ? undefined : { key: entry.key, value: entry.value };
  }
  const item = tree.kind === "list" && typeof step === "number" ? tree.items[step] : undefined;
  return item === undefined ? undefined : { key: null, value: item };
}

/** The value at a path, or undefined. */
export function valueAt(tree: Tree, path: KeyPath): Tree | undefined {
  let node: Tree | undefined = tree;
  for (const step of path) {
    node = node === undefined ? undefined : child(node, step)?.value;
  }
  return node;
}

/** Where the key of a path stands; the value's own place where the last step is a list position. */
export function keySpanAt(tree: Tree, path: KeyPath): Span | undefined {
  const last = path.at(-1);
  const parent = valueAt(tree, path.slice(0, -1));
  if (last === undefined || parent === undefined) return undefined;
  const found = child(parent, last);
  return found?.key ?? found?.value.span;
}

/**
 * The place that stands for a path: the scalar itself; for a map or list, an empty value or a missing one the nearest
 * key above, because that is the line a person looks at.
 */
export function spanOf(tree: Tree, path: KeyPath): Span {
  let node = tree;
  let best: Span = tree.span;
  for (const step of path) {
    const next = child(node, step);
    if (next === undefined) break;
    node = next.value;
    const isVisible = node.kind === "scalar" && node.span.to > node.span.from;
    best = isVisible ? node.span : (next.key ?? node.span);
  }
  return best;
}

/**
 * The tree as plain values for the schema. Maps have no prototype, so that no key means more than itself; shared nodes
 * become shared values.
 */
export function toPlain(tree: Tree, seen: Map<Tree, unknown> = new Map()): unknown {
  if (tree.kind === "scalar") return tree.value;
  const known = seen.get(tree);
  if (known !== undefined) return known;
  if (tree.kind === "list") {
    const list = tree.items.map((item) => toPlain(item, seen));
    seen.set(tree, list);
    return list;
  }
  const map: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) map[key] = toPlain(entry.value, seen);
  seen.set(tree, map);
  return map;
}
