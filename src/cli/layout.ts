/** A piece of a line: what is seen, and how it is painted. */
export interface Cell {
  readonly text: string;
  paint?(text: string): string;
}

/** What stands in columns between it and the next one. */
const GAP = 2;
/** Text that has less room than this behind its row goes below it. */
const MIN_TEXT_WIDTH = 40;

export function cell(text: string, paint?: Cell["paint"]): Cell {
  return paint === undefined ? { text } : { text, paint };
}

/** How wide each column is; the last cell of a row is text that runs on, and counts for nothing. */
export function columnWidths(rows: readonly (readonly Cell[])[]): readonly number[] {
  const widths: number[] = []; // bounded by the cells of a row
  for (const row of rows)
    row.slice(0, -1).forEach(({ text }, i) => {
      widths[i] = Math.max(widths[i] ?? 0, text.length);
    });
  return widths;
}

/**
 * One row, its last cell broken into lines where the screen is too narrow for it.
 * @param columns of the screen; null = it is none, and lines may be long
 */
export function row(
  cells: readonly Cell[],
  widths: readonly number[],
  indent: number,
  columns: number | null,
): readonly string[] {
  const columnsOfRow = cells.slice(0, -1);
  const last = cells.at(-1) ?? cell("");
  const head = columnsOfRow
    .map(({ text, paint }, i) => (paint?.(text) ?? text) + " ".repeat((widths[i] ?? 0) - text.length + GAP))
    .join("");
  const offset = indent + columnsOfRow.reduce((sum, _, i) => sum + (widths[i] ?? 0) + GAP, 0);
  const painted = (text: string) => (text === "" ? "" : (last.paint?.(text) ?? text));
  const margin = " ".repeat(indent);
  if (columns !== null && columns - offset < Math.min(MIN_TEXT_WIDTH, last.text.length)) {
    const below = indent + 2 * GAP;
    return [
      `${margin}${head}`.trimEnd(),
      ...wrap(last.text, columns - below).map((text) => `${" ".repeat(below)}${painted(text)}`),
    ];
  }
  const [first = "", ...rest] = wrap(last.text, columns === null ? null : columns - offset);
  return [
    `${margin}${head}${painted(first)}`.trimEnd(),
    ...rest.map((text) => `${" ".repeat(offset)}${painted(text)}`),
  ];
}

export function table(rows: readonly (readonly Cell[])[], indent: number, columns: number | null): readonly string[] {
  const widths = columnWidths(rows);
  return rows.flatMap((cells) => row(cells, widths, indent, columns));
}

/** Breaks text between words, and words that are longer than a line. @param width null = any */
export function wrap(text: string, width: number | null): readonly string[] {
  if (width === null || text.length <= width) return [text];
  const room = Math.max(1, width);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    while (line.length > room) {
      lines.push(line.slice(0, room));
      line = line.slice(room);
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** `a, b and 3 more`: what is there to be recognised by, not to be read through. */
export function few(texts: readonly string[], max: number): string {
  return texts.length <= max ? texts.join(" ") : `${texts.slice(0, max).join(" ")} and ${texts.length - max} more`;
}
