import { err, ok, type Result } from "../base/result.ts";
import type { ConfigProblem, SourceFile } from "./problem.ts";
import { SourceText } from "./source-text.ts";

/** Bytes of a file as text, or the place of the first byte that is not UTF-8. */
export function decodeSource(file: Omit<SourceFile, "text">, bytes: Uint8Array): Result<SourceFile, ConfigProblem> {
  const text = decode(bytes, false);
  if (text !== null) return ok({ ...file, text });
  const end = validPrefix(bytes);
  const prefix = decode(bytes.subarray(0, end), false) ?? "";
  const [restOfLine = ""] = new TextDecoder("latin1").decode(bytes.subarray(end, end + 200)).split("\n");
  const source = new SourceText({ ...file, text: prefix + restOfLine });
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  return err({
    severity: "error",
    code: "not-utf8",
    location: source.locate(prefix.length),
    excerpt: source.excerpt(prefix.length, prefix.length + 1),
    keyPath: "",
    message: `the byte 0x${(bytes[end] ?? 0).toString(16).padStart(2, "0")} is not UTF-8`,
    expected: "a text file in UTF-8",
    hint: isUtf16
      ? "the file was saved as UTF-16; save it as UTF-8"
      : "convert it, for example with `iconv -f latin1 -t utf-8`",
    related: [],
  });
}

/** null = not UTF-8; with `isCutOff` an unfinished sequence at the end is accepted. */
function decode(bytes: Uint8Array, isCutOff: boolean): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCutOff });
  } catch {
    return null;
  }
}

/** How many bytes from the start are well-formed UTF-8: the decoder tells that something is wrong, not where. */
function validPrefix(bytes: Uint8Array): number {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (decode(bytes.subarray(0, middle), true) !== null) low = middle;
    else high = middle - 1;
  }
  // The last up to three bytes may be the beginning of a sequence that never ends.
  const [whole = low] = [low, low - 1, low - 2, low - 3].filter(
    (at) => at >= 0 && decode(bytes.subarray(0, at), false) !== null,
  );
  return whole;
}
