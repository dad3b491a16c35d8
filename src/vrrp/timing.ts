import { assert } from "../base/assert.ts";

/** The interval on the wire is in centiseconds, 12 bits. */
export const MICROSECONDS_PER_CENTISECOND = 10_000;
export const ADVERT_INTERVAL_MIN_CS = 1;
export const ADVERT_INTERVAL_MAX_CS = 4095;

/** A backup gives up on the master after this many silent intervals (RFC 9568 section 6.1). */
export const DOWN_INTERVALS = 3;

/** Wire unit to internal unit; exact. */
export function csToUs(cs: number): number {
  return cs * MICROSECONDS_PER_CENTISECOND;
}

/** Internal unit to wire unit; the configuration only lets whole centiseconds in. */
export function usToCs(us: number): number {
  assert(us % MICROSECONDS_PER_CENTISECOND === 0, `not a whole number of centiseconds: ${us} µs`);
  return us / MICROSECONDS_PER_CENTISECOND;
}

/**
 * Skew_Time: the lower the priority, the longer a backup waits, so that the best one is first.
 * @param priority own priority, 1–255
 * @param masterAdvertUs interval last advertised by the master, microseconds
 * @returns microseconds, (256 − priority) / 256 of the interval, rounded up to a whole one
 * @throws AssertionError outside those ranges: callers validate first
 * @see RFC 9568 section 6.1
 */
export function skewUs(priority: number, masterAdvertUs: number): number {
  assert(Number.isInteger(priority) && priority >= 1 && priority <= 255, `priority out of range: ${priority}`);
  assert(Number.isInteger(masterAdvertUs) && masterAdvertUs > 0, `interval out of range: ${masterAdvertUs}`);
  return Math.ceil(((256 - priority) * masterAdvertUs) / 256);
}

/**
 * Active_Down_Interval: how long a backup waits without adverts before taking over.
 * @returns microseconds, three intervals plus skew
 * @see RFC 9568 section 6.1
 */
export function masterDownUs(priority: number, masterAdvertUs: number): number {
  return DOWN_INTERVALS * masterAdvertUs + skewUs(priority, masterAdvertUs);
}
