import { CST, Lexer } from "yaml";
import type { PlacedFinding } from "./read.ts";

/** Most indicators (dashes, commas, brackets, anchors) without any value between them. */
const MAX_BARE_INDICATORS = 64;

/**
 * A first pass over the tokens, linear in the text. It refuses what would make the parser recurse as deeply, or complain
 * as often, as the text is long: such a text is not a configuration, whatever else it is.
 */
export function findOverload(text: string, maxDepth: number): PlacedFinding | null {
  let offset = 0;
  let depth = 0;
  let bare = 0;
  let isPlainNext = false;
  for (const token of new Lexer().lex(text)) {
    // The lexer's marks stand for no character of the text; this one says that the next token is a plain scalar.
    if (!isPlainNext && (token === CST.DOCUMENT || token === CST.FLOW_END || token === CST.SCALAR)) {
      isPlainNext = token === CST.SCALAR;
      continue;
    }
    const type = isPlainNext ? "scalar" : CST.tokenType(token);
    isPlainNext = false;
    const span = { from: offset, to: offset + 1 };
    offset += token.length;
    if (type === "flow-map-start" || type === "flow-seq-start") depth += 1;
    if (type === "flow-map-end" || type === "flow-seq-end") depth -= 1;
    if (depth < 0) {
      const hint = "remove it, or put the value in quotes";
      return { code: "bad-yaml", span, message: `a \`${token}\` that nothing opened`, hint };
    }
    if (depth > maxDepth) return { code: "too-complex", span, message: `nested deeper than ${maxDepth} levels` };
    if (INDICATORS.has(type ?? "")) bare += 1;
    else if (VALUES.has(type ?? "")) bare = 0;
    if (bare > MAX_BARE_INDICATORS) {
      return {
        code: "too-complex",
        span,
        message: `more than ${MAX_BARE_INDICATORS} indicators without a value between them`,
      };
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
