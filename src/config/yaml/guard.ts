import type { PlacedFinding } from "./read.ts";
import { tokensOf } from "./tokens.ts";

/** Most indicators (dashes, commas, brackets, anchors) without any value between them. */
const MAX_BARE_INDICATORS = 64;
/** Most values without any indicator between them; of a block scalar there are two, its header and its text. */
const MAX_BARE_VALUES = 64;

/**
 * A first pass over the tokens of a text, linear in it. It refuses what would make the parser recurse as deeply, or complain
 * as often, as the text is long: such a text is not a configuration, whatever else it is.
 */
export function findOverload(lexemes: Iterable<string>, maxDepth: number): PlacedFinding | null {
  let depth = 0;
  let bare = 0;
  let values = 0;
  for (const { type, offset, text: token } of tokensOf(lexemes)) {
    const span = { from: offset, to: offset + 1 };
    if (type === "flow-map-start" || type === "flow-seq-start") depth += 1;
    if (type === "flow-map-end" || type === "flow-seq-end") depth -= 1;
    if (depth < 0) {
      const hint = "remove it, or put the value in quotes";
      return { code: "bad-yaml", span, message: `a \`${token}\` that nothing opened`, hint };
    }
    if (depth > maxDepth) return { code: "too-complex", span, message: `nested deeper than ${maxDepth} levels` };
    if (INDICATORS.has(type)) {
      bare += 1;
      values = 0;
    } else if (VALUES.has(type)) {
      bare = 0;
      values += 1;
    }
    if (bare > MAX_BARE_INDICATORS) {
      const message = `more than ${MAX_BARE_INDICATORS} indicators without a value between them`;
      return { code: "too-complex", span, message };
    }
    if (values > MAX_BARE_VALUES) {
      const message = `more than ${MAX_BARE_VALUES} values without a comma, a colon or a dash between them`;
      return { code: "too-complex", span, message, hint: "a quote or a `*` may stand there too often" };
    }
  }
  return null;
}

const INDICATORS: ReadonlySet<string> = new Set([
  "seq-item-ind",
  "explicit-key-ind",
  "map-value-ind",
  "flow-map-start",
  "flow-seq-start",
  "flow-map-end",
  "flow-seq-end",
  "comma",
  "anchor",
  "tag",
  "doc-start",
  "doc-end",
  "directive-line",
]);

const VALUES: ReadonlySet<string> = new Set([
  "scalar",
  "alias",
  "single-quoted-scalar",
  "double-quoted-scalar",
  "block-scalar-header",
]);
