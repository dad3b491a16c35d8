import { assert } from "./assert.ts";
import { err, ok, type Result } from "./result.ts";

/** Durations inside holdfast are whole microseconds in names that end in `Us`; users write them with a unit. */
const UNIT_US = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const;

export type DurationUnit = keyof typeof UNIT_US;

const PATTERN = /^(\d{1,12})(?:\.(\d{1,6}))?(us|ms|s|m|h|d)$/;

export const MICROSECONDS_PER_MILLISECOND = 1_000;
export const MICROSECONDS_PER_SECOND = 1_000_000;

/**
 * Reads a duration as users write it: `10ms`, `1s`, `1.5s`, `5m`.
 * @returns whole microseconds; a sentence if the text has no unit, an unknown unit, or more digits than a microsecond
 */
export function parseDurationUs(text: string): Result<number, string> {
  const match = PATTERN.exec(text.trim());
  if (match === null) {
    return err(
      /^\d+(\.\d+)?$/.test(text.trim())
        ? `a duration needs a unit, for example ${text.trim()}s or ${text.trim()}ms`
        : "expected a duration such as 500ms, 2s, 1.5s, 5m or 1h",
    );
  }
  const [, whole = "", fraction = "", unit] = match;
  const unitUs = UNIT_US[unit as DurationUnit];
  const us = Number(whole) * unitUs + (fraction === "" ? 0 : (Number(fraction) * unitUs) / 10 ** fraction.length);
  if (!Number.isSafeInteger(us)) return err("a duration must be a whole number of microseconds, below 285 years");
  return ok(us);
}

/**
 * Writes a duration as a user would: the largest unit that needs no fraction, `1.5s` style below a minute.
 * @param us whole microseconds, 0 or more
 */
export function formatDurationUs(us: number): string {
  assert(Number.isFinite(us) && us >= 0, `duration out of range: ${us}`);
  const rounded = Math.round(us);
  if (rounded === 0) return "0s";
  for (const unit of ["d", "h", "m"] as const) {
    if (rounded % UNIT_US[unit] === 0) return `${rounded / UNIT_US[unit]}${unit}`;
  }
  const unit = rounded >= UNIT_US.s ? "s" : rounded >= UNIT_US.ms ? "ms" : "us";
  return `${rounded / UNIT_US[unit]}${unit}`;
}

/** As above, for a time that was measured: rounded to whole milliseconds. */
export function formatMeasuredUs(us: number): string {
  return formatDurationUs(Math.round(us / MICROSECONDS_PER_MILLISECOND) * MICROSECONDS_PER_MILLISECOND);
}
