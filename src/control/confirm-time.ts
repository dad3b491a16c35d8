import { formatDurationUs, parseDurationUs } from "../base/duration.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Shorter, nobody could look at anything; longer, nobody would remember. */
const MIN_US = 5_000_000;
const MAX_US = 24 * 3_600_000_000;

/** How long a reload waits to be confirmed. @param text `5m` @returns milliseconds, or what is wrong */
export function parseConfirmTime(text: unknown): Result<number, string> {
  const accepts = `a time to confirm is a duration from ${formatDurationUs(MIN_US)} to ${formatDurationUs(MAX_US)}, such as 5m`;
  const us = typeof text === "string" ? parseDurationUs(text) : err("");
  return us.ok && us.value >= MIN_US && us.value <= MAX_US ? ok(Math.ceil(us.value / 1_000)) : err(accepts);
}
