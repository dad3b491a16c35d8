import { err, ok, type Result } from "../base/result.ts";
import type { BroughtProbe, DrillRequest } from "../control/drill-api.ts";
import { DRILL_KINDS } from "../drill/model.ts";

/** A request that has the right shape. */
export type WantedDrill = DrillRequest;

/** Settings that are numbers, with their bounds. */
const NUMBERS = {
  everyUs: [1_000, 10_000_000],
  timeoutUs: [10_000, 60_000_000],
  maxGapUs: [0, 600_000_000],
  maxFailed: [0, 1_000_000],
  maxSteadyUs: [0, 600_000_000],
  maxReturnGapUs: [0, 600_000_000],
} as const;
const MAX_LINES = 1_000;
const MAX_NAME = 200;

/** Reads the body of a request for a drill; what is not known is refused, so that a misspelt limit is none. */
export function readDrillRequest(body: unknown): Result<WantedDrill, string> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return err('a drill is asked for by an object, for example {"kind": "handover"}');
  for (const [key, value] of Object.entries(body)) {
    const problem = problemOf(key, value);
    if (problem !== null) return err(problem);
  }
  if (!("kind" in body)) return err(`the kind of drill is missing: ${DRILL_KINDS.join(" or ")}`);
  return ok(body as WantedDrill);
}

function problemOf(key: string, value: unknown): string | null {
  if (key === "kind")
    return DRILL_KINDS.some((kind) => kind === value) ? null : `the kind of a drill is ${DRILL_KINDS.join(" or ")}`;
  if (key === "returns") return typeof value === "boolean" ? null : "returns is true or false";
  if (key === "target" || key === "broughtFrom") return isShortText(value) ? null : `${key} is a short text`;
  if (!Object.hasOwn(NUMBERS, key)) return `a drill has no setting ${JSON.stringify(key.slice(0, 50))}`;
  const [lowest, highest] = NUMBERS[key as keyof typeof NUMBERS];
  const isIn = typeof value === "number" && Number.isSafeInteger(value) && value >= lowest && value <= highest;
  return isIn ? null : `${key} is a whole number from ${lowest} to ${highest}`;
}

function isShortText(value: unknown): boolean {
  return typeof value === "string" && value.length <= 500 && !/[\u0000-\u001f\u007f-\u009f]/.test(value);
}

export function readBrought(body: unknown): Result<BroughtProbe, string> {
  if (typeof body !== "object" || body === null) return err("lines of a prober come in an object");
  const { lines, ended } = body as Partial<Record<keyof BroughtProbe, unknown>>;
  const areLines = Array.isArray(lines) && lines.length <= MAX_LINES && lines.every((line) => typeof line === "string");
  if (!areLines) return err(`lines is a list of at most ${MAX_LINES} texts`);
  if (ended === undefined) return ok({ lines });
  return typeof ended === "string" ? ok({ lines, ended: ended.slice(0, MAX_NAME) }) : err("ended is a text");
}
