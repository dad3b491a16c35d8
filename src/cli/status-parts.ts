import { formatDurationUs } from "../base/duration.ts";
import { wrap } from "./layout.ts";
import { printable, type WordPaint } from "./terminal.ts";

export interface StatusViewOptions {
  /** Wall clock, for how long ago something was. */
  readonly nowMs: number;
  readonly paint: WordPaint;
  /** Width of the screen; null = it is none. */
  readonly columns: number | null;
  /** Height of a screen that does not scroll; null = it does, or it is none. */
  readonly rows: number | null;
  /** Every server of every service, also of those where all is well. */
  readonly all: boolean;
  /** Only this service, with every server. */
  readonly service: string | null;
}

/** Where the text below a line begins. */
const TEXT_INDENT = 6;

/** What explains the line above it. */
export function paragraph(text: string, { paint, columns }: StatusViewOptions): readonly string[] {
  const lines = wrap(printable(text), columns === null ? null : columns - TEXT_INDENT);
  return lines.map((line) => " ".repeat(TEXT_INDENT) + paint.dim(line));
}

export function shortMs(us: number): string {
  return us < 1_000 ? `${us} µs` : `${(us / 1_000).toFixed(us < 10_000 ? 1 : 0)} ms`;
}

export function agoOf(iso: string, { nowMs }: StatusViewOptions): string {
  return ago(nowMs - Date.parse(iso));
}

/** Whole numbers of the largest fitting unit: 3s, 5m, 2h, 4d. */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return formatDurationUs(Math.max(0, Math.round(ms)) * 1000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
