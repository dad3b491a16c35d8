/** Text is handed on when it has so many letters: well under a millisecond of work. */
const PIECE_LETTERS = 65_536;

/**
 * What `JSON.stringify` makes of plain data, piece by piece, for whoever wants to do something else in between.
 * @param depth so many levels of lists and objects are opened; each of what is below them is written in one go
 */
export function* jsonPieces(data: unknown, depth: number): Generator<string, void> {
  let piece = "";
  for (const part of partsOf(data, depth)) {
    piece += part;
    if (piece.length < PIECE_LETTERS) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

function* partsOf(data: unknown, depth: number): Generator<string, void> {
  if (depth === 0 || typeof data !== "object" || data === null) {
    yield JSON.stringify(data) ?? "null";
    return;
  }
  const isList = Array.isArray(data);
  let before = isList ? "[" : "{";
  for (const [key, value] of Object.entries(data)) {
    // As JSON.stringify has it: an object leaves out what is undefined, a list says null.
    if (value === undefined && !isList) continue;
    yield isList ? before : `${before}${JSON.stringify(key)}:`;
    yield* partsOf(value, depth - 1);
    before = ",";
  }
  yield `${before === "," ? "" : before}${isList ? "]" : "}"}`;
}
