import { formatDurationUs } from "../base/duration.ts";
import type { Sample } from "./model.ts";

/** Characters of a drawn line. */
const WIDTH = 72;
/** Columns of ordinary life on both sides of what is drawn. */
const MARGIN = 8;
/** One character is never less than this. */
const COLUMN_US_MIN = 1_000;

/** `#` all answered, `x` none, `/` some, space: nothing was asked. */
function cell(samples: readonly Sample[]): string {
  if (samples.length === 0) return " ";
  const failed = samples.filter(({ tookUs }) => tookUs === null).length;
  if (failed === 0) return "#";
  return failed === samples.length ? "x" : "/";
}

export interface Drawing {
  /** What is drawn, on the prober's clock: a gap, or the instant of an event with `toUs` the same. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly everyUs: number;
}

/**
 * Draws the answers around a stretch of time, each question where it was asked, and below it the stretch itself.
 * @param samples in the order of asking
 * @returns three lines: answers, the stretch, and the scale
 */
export function drawAnswers(samples: readonly Sample[], { fromUs, toUs, everyUs }: Drawing): readonly string[] {
  const inner = WIDTH - 2 * MARGIN;
  const columnUs = Math.max(COLUMN_US_MIN, everyUs, niceUs((toUs - fromUs) / inner));
  const startUs = fromUs - MARGIN * columnUs;
  const columns: Sample[][] = Array.from({ length: WIDTH }, () => []); // as many samples as there are
  for (const sample of samples) {
    const at = Math.floor((sample.sentUs - startUs) / columnUs);
    columns[at]?.push(sample);
  }
  const last = Math.min(WIDTH - 1, Math.max(MARGIN, Math.ceil((toUs - startUs) / columnUs)));
  const width = last - MARGIN;
  const stretch = width < 2 ? "^" : `|${"-".repeat(width - 1)}|`;
  return [
    columns.map(cell).join("").trimEnd(),
    `${" ".repeat(MARGIN)}${stretch} ${formatDurationUs(round(toUs - fromUs))}`,
    `a character is ${formatDurationUs(columnUs)}; # answered, x not, / some of both`,
  ];
}

/** The next of 1, 2, 5, 10, 20, … ms. */
function niceUs(us: number): number {
  for (let decade = COLUMN_US_MIN; ; decade *= 10) {
    for (const step of [1, 2, 5]) if (step * decade >= us) return step * decade;
  }
}

function round(us: number): number {
  return Math.round(us / 100) * 100;
}
