/**
 * Manual pages in the man(7) macros, which every formatter knows. Text is wrapped at 78 columns; `code` in backticks becomes bold.
 * @see man(7), groff_char(7)
 */
export class ManualPage {
  readonly #lines: string[] = [];

  /** @param date as YYYY-MM-DD: a page says when it was true, and is the same for the same input */
  constructor(title: string, section: 1 | 5 | 8, date: string, source: string) {
    this.#lines.push(`.TH ${argument(title.toUpperCase())} ${section} "${date}" ${argument(source)}`);
    // Commands are copied from here: no hyphenation, no stretched spaces.
    this.#lines.push(".nh", ".ad l");
  }

  section(title: string): this {
    this.#lines.push(`.SH ${argument(title.toUpperCase())}`);
    return this;
  }

  subsection(title: string): this {
    this.#lines.push(`.SS ${argument(title)}`);
    return this;
  }

  paragraph(text: string): this {
    this.#lines.push(".PP", ...wrapped(text));
    return this;
  }

  /** Text directly below a heading. */
  text(text: string): this {
    this.#lines.push(...wrapped(text));
    return this;
  }

  /** A term in bold and what it means. */
  item(term: string, meaning: string): this {
    this.#lines.push(".TP", `\\fB${escaped(term)}\\fP`, ...wrapped(meaning));
    return this;
  }

  bullet(text: string): this {
    this.#lines.push(".IP \\(bu 2", ...wrapped(text));
    return this;
  }

  /** Lines as they stand. */
  literal(lines: readonly string[]): this {
    this.#lines.push(".PP", ".nf", ".RS 4", ...lines.map((line) => guarded(escaped(line))), ".RE", ".fi");
    return this;
  }

  toString(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }
}

/** An argument of a macro: in quotes, those inside doubled. */
function argument(text: string): string {
  return `"${escaped(text).replaceAll('"', '""')}"`;
}

/** Text without meaning for the formatter: a hyphen stays one when copied, and what is not ASCII is named by its code point. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/[^\n\x20-\x7e]/gu, (character) => {
      const codePoint = character.codePointAt(0) ?? 0;
      return `\\[u${codePoint.toString(16).toUpperCase().padStart(4, "0")}]`;
    });
}

/** A line of text that begins like a request is not one. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

const COLUMNS = 78;

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of styled(text).split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].filter((each) => each !== "").map(guarded);
}

function styled(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => (part.length > 2 && part.startsWith("`") ? `\\fB${escaped(part.slice(1, -1))}\\fP` : escaped(part)))
    .join("");
}
