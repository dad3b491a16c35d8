import type { Excerpt, Location, SourceFile } from "./problem.ts";

/** Columns of a line that an excerpt shows at most. */
const EXCERPT_WIDTH = 110;
/** Characters before and after the caret that are looked at; lines may be as long as the file. */
const SCAN_WIDTH = 400;
const BLOT = "…";

/**
 * Names whose values are secrets wherever they stand on a line. The tree knows better (`hide`), but a file that
 * does not parse has no tree.
 */
const SECRET_LINE =
  /((?:proxy-)?authori[sz]ation|(?:set-)?cookie|pass(?:word|phrase|wd)?|secret|token|api[-_]?key|x-auth[\w-]*|private[-_]?key|auth|bearer)(["']?\s*[:=]\s*)(?=\S)(?![{[&*|>#])(.*)$/i;
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

  get lineCount(): number {
    return this.#lineStarts.length;
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
    const secretFrom = from + (this.#isInsidePem(line) ? 0 : secretColumn(raw, this.#isUnderstood));
    const cells: Cell[] = [];
    for (let index = 0; index < raw.length; index += 1) {
      const offset = from + index;
      const isSecret = offset >= secretFrom || hidden.some((range) => offset >= range.from && offset < range.to);
      if (!isSecret) cells.push({ offset, shown: visible(raw[index] ?? "") });
      else if (cells.at(-1)?.shown !== BLOT) cells.push({ offset, shown: BLOT });
    }
    return cells;
  }

  /** Whether the line is the body of a private key that was pasted into the file. */
  #isInsidePem(line: number): boolean {
    // A PEM key has fewer than 200 lines; looking further back would make many problems in a large file slow.
    for (let above = line; above >= Math.max(0, line - 200); above -= 1) {
      const start = this.#lineStarts[above] ?? 0;
      const text = this.text.slice(start, this.#lineStarts[above + 1] ?? this.text.length);
      if (above < line && PEM_END.test(text)) return false;
      if (PEM_BEGIN.test(text)) return above < line;
    }
    return false;
  }
}

interface Cell {
  readonly offset: number;
  readonly shown: string;
}

function secretColumn(raw: string, isUnderstood: boolean): number {
  const pem = PEM_BEGIN.exec(raw)?.index ?? Number.POSITIVE_INFINITY;
  const match = isUnderstood ? null : SECRET_LINE.exec(raw);
  if (match === null) return pem;
  return Math.min(pem, match.index + (match[1] ?? "").length + (match[2] ?? "").length);
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
