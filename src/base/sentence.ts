/** @returns the text with a full stop at its end, where it has none and asks nothing */
export function asSentence(text: string): string {
  return text.replace(/[.?]?$/, (end) => end || ".");
}
