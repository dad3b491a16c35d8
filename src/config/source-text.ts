import type { Excerpt, Location, SourceFile } from "./problem.ts";
import { announcesSecret, secretColumn } from "./secret-names.ts";

/** Columns of a line that an excerpt shows at most. */
const EXCERPT_WIDTH = 110;
/** Characters before and after the caret that are looked at; lines may be as long as the file. */
const SCAN_WIDTH = 400;
/** How far up a line looks for what it belongs to; a private key has fewer lines. */
const LINES_ABOVE = 200;
const BLOT = "…";

const PEM_BEGIN = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const PEM_END = /-----END [A-Z ]*PRIVATE KEY-----/;

/** The text of one file with its line starts: offsets to places, places to excerpts without secrets. */
export class SourceText {
  readonly file: SourceFile;
  readonly text: string;
  /** Offsets of line starts; bounded by the file size limit. */
  readonly #lineStarts: readonly number[];
  /** Offsets [from, to) of secret values; bounded by the number of scalars in the file. */
  readonly #hidden: { readonly from: number; readonly to: number }[] = [];
  #isUnderstood = false;

  constructor(file: SourceFile) {
    this.file = file;
    this.text = file.text;
    const starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) starts.push(at + 1);
    // The end of the last line is not a line of its own: a problem "at the end" belongs to the last line that is there.
    if (starts.length > 1 && starts.at(-1) === this.text.length) starts.pop();
    this.#lineStarts = starts;
  }

  /** Keeps the characters from `from` up to `to` out of every excerpt. */
  hide(from: number, to: number): void {
    this.#hidden.push({ from, to });
  }

  /** Says that `hide` has been told of every secret, so that lines need not be guessed at. */
  secretsAreKnown(): void {
    this.#isUnderstood = true;
  }

  /** @param offset any number; clamped to the text */
  locate(offset: number): Location {
    const { line, start, end } = this.#lineAt(offset);
    const inLine = Math.min(Math.max(offset, start), end);
    return { file: this.file.path, line: line + 1, column: inLine - start + 1 };
  }

  /** The line that holds `from`, with the caret under [from, to), both clamped to the line. */
  excerpt(from: number, to: number): Excerpt {
    const { line, start, end } = this.#lineAt(from);
    const caret = Math.min(Math.max(from, start), end);
    const caretEnd = Math.max(caret + 1, Math.min(to, end));
    return cut(this.#blotted(line, start, end, caret), caret, caretEnd);
  }

  #lineAt(offset: number): { line: number; start: number; end: number } {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const start = this.#lineStarts[low] ?? 0;
    const newline = this.text.indexOf("\n", start);
    let end = newline < 0 ? this.text.length : newline;
    if (end > start && this.text[end - 1] === "\r") end -= 1;
    return { line: low, start, end };
  }

  /** The part of a line around the caret, character by character, so that blotting moves the caret with the text. */
  #blotted(line: number, start: number, end: number, caret: number): Cell[] {
    const from = Math.max(start, caret - SCAN_WIDTH);
    const raw = this.text.slice(from, Math.min(end, caret + SCAN_WIDTH));
    const hidden = this.#hidden.filter((range) => range.to > from && range.from < from + raw.length);
    const secretFrom = from + (this.#isInsideSecret(line) ? 0 : this.#secretColumn(raw));
    const cells: Cell[] = [];
    for (let index = 0; index < raw.length; index += 1) {
      const offset = from + index;
      const isSecret = offset >= secretFrom || hidden.some((range) => offset >= range.from && offset < range.to);
      if (!isSecret) cells.push({ offset, shown: visible(raw[index] ?? "") });
      else if (cells.at(-1)?.shown !== BLOT) cells.push({ offset, shown: BLOT });
    }
    return cells;
  }

  #secretColumn(raw: string): number {
    const pem = PEM_BEGIN.exec(raw)?.index ?? Number.POSITIVE_INFINITY;
    return this.#isUnderstood ? pem : Math.min(pem, secretColumn(raw));
  }

  /** Whether the line belongs to a secret that began above it: a private key, or a block under a telling name. */
  #isInsideSecret(line: number): boolean {
    const indentation = indentOf(this.#lineText(line));
    let isCertain = false;
    for (let above = line - 1; above >= Math.max(0, line - LINES_ABOVE); above -= 1) {
      const text = this.#lineText(above);
      if (PEM_END.test(text)) return false;
      if (PEM_BEGIN.test(text)) return true;
      if (this.#isUnderstood || isCertain || text.trim() === "" || indentOf(text) >= indentation) continue;
      // The nearest line that is less indented is the parent; only a private key can reach further down.
      if (announcesSecret(text)) return true;
      isCertain = true;
    }
    return false;
  }

  #lineText(line: number): string {
    const start = this.#lineStarts[line] ?? 0;
    const next = this.#lineStarts[line + 1] ?? this.text.length;
    return this.text.slice(start, Math.min(next, start + SCAN_WIDTH));
  }
}

function indentOf(line: string): number {
  return /^ */.exec(line)?.[0].length ?? 0;
}

interface Cell {
  readonly offset: number;
  readonly shown: string;
}

/** Tabs become arrows; what could drive a terminal becomes a replacement character. */
function visible(character: string): string {
  if (character === "\t") return "→";
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character) ? "\ufffd" : character;
}

/** Cuts the cells to a width, keeping the caret in sight. */
function cut(cells: readonly Cell[], caret: number, caretEnd: number): Excerpt {
  // A blot stands for all characters up to the next cell, so the caret's cell is the last that begins at or before it.
  const last = cells.at(-1);
  const isPastEnd = last === undefined || (last.shown !== BLOT && last.offset < caret);
  const first = isPastEnd ? cells.length : cells.findLastIndex((cell) => cell.offset <= caret);
  const after = cells.findIndex((cell, index) => index > first && cell.offset >= caretEnd);
  const end = after < 0 ? Math.max(cells.length, first + 1) : after;
  const from = first > EXCERPT_WIDTH - 30 ? first - 40 : 0;
  const prefix = from > 0 ? BLOT : "";
  const suffix = cells.length > from + EXCERPT_WIDTH ? BLOT : "";
  const shown = cells.slice(from, from + EXCERPT_WIDTH).map((cell) => cell.shown);
  return {
    text: (prefix + shown.join("") + suffix).trimEnd(),
    caretAt: first - from + prefix.length,
    caretLength: Math.max(1, Math.min(end, from + EXCERPT_WIDTH) - first),
  };
}
