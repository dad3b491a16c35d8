import { err, ok, type Result } from "../base/result.ts";
import type { Sample } from "./model.ts";

/** What a prober prints, one JSON object a line. The version changes when an old reader would misread. */
export const PROBE_VERSION = 1;

export type ProbeLine =
  /** The first line. */
  | {
      readonly type: "start";
      readonly version: number;
      readonly target: string;
      readonly everyUs: number;
      readonly timeoutUs: number;
    }
  | ({ readonly type: "sample" } & Sample)
  /** The last line: all questions were answered, or have failed. */
  | { readonly type: "end"; readonly sent: number; readonly failed: number };

/** A line is far shorter; what is longer is no line of ours. */
const MAX_LINE = 1_000;
const MAX_REASON = 200;

export function formatProbeLine(line: ProbeLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** Reads a line of a prober, which may run on another host and be of another version. */
export function parseProbeLine(text: string): Result<ProbeLine, string> {
  if (text.length > MAX_LINE) return err(`a line of ${text.length} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err(`no JSON: ${printable(text.slice(0, 200))}`);
  }
  if (typeof value !== "object" || value === null) return err("no object");
  const line = value as Readonly<Record<string, unknown>>;
  if (line.type === "start") return parseStart(line);
  if (line.type === "sample") return parseSample(line);
  if (line.type === "end" && isCount(line.sent) && isCount(line.failed))
    return ok({ type: "end", sent: line.sent, failed: line.failed });
  return err(`no line of a prober: ${printable(text.slice(0, 200))}`);
}

function parseStart(line: Readonly<Record<string, unknown>>): Result<ProbeLine, string> {
  const { version, target, everyUs, timeoutUs } = line;
  if (version !== PROBE_VERSION)
    return err(
      `the prober speaks version ${String(version)} and this director ${PROBE_VERSION}: use the same holdfast`,
    );
  if (typeof target !== "string" || !isCount(everyUs) || !isCount(timeoutUs)) return err("an incomplete first line");
  return ok({ type: "start", version, target: target.slice(0, MAX_REASON), everyUs, timeoutUs });
}

function parseSample(line: Readonly<Record<string, unknown>>): Result<ProbeLine, string> {
  const { id, sentUs, tookUs, reason } = line;
  if (!isCount(id) || !isCount(sentUs) || !(tookUs === null || isCount(tookUs)) || typeof reason !== "string")
    return err("an incomplete sample");
  return ok({ type: "sample", id, sentUs, tookUs, reason: printable(reason.slice(0, MAX_REASON)) });
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** What another host says may not move the cursor of whoever reads it. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
