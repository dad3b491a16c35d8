/*
 * The times that RFC 9568 and the handover's design give, in microseconds. Written down again on purpose: a simulation that
 * asked the core for them could not notice that the core has them wrong.
 */

/** (256 − priority) / 256 of the interval. */
export function skewUs(priority: number, intervalUs: number): number {
  return Math.ceil(((256 - priority) * intervalUs) / 256);
}

/** Three silent intervals and the skew: when a backup takes over from a master that fell silent. */
export function downUs(priority: number, intervalUs: number): number {
  return 3 * intervalUs + skewUs(priority, intervalUs);
}

/** One interval, in which every skew runs out, and a sixteenth of it or 10 ms for the way. */
export function releaseWaitUs(intervalUs: number): number {
  return intervalUs + Math.max(10_000, Math.ceil(intervalUs / 16));
}

/** A resignation that nobody answers: priority 0 is said three times. */
export function resignUs(intervalUs: number): number {
  return 3 * releaseWaitUs(intervalUs);
}

export interface Pace {
  /** The longest interval that anybody advertises or ever advertised. */
  readonly slowestUs: number;
  /** The longest way of a frame. */
  readonly wireUs: number;
  /** How much too late alarms go off. */
  readonly lateUs: number;
}

/**
 * When there is exactly one master after everything is whole, whatever went on at that moment.
 * 1. A resignation under way ends: 3 × (A + A/16). A node that moved to another virtual router starts anew only then.
 * 2. Who listens, listens for at most three intervals and a skew, which is less than 4 A. (After a standstill, for a skew
 *    and one interval: less.) Then somebody is master.
 * 3. Of several masters the best speaks at its next advert, within A, and the others give way when it has arrived. The one who
 *    answers a resignation is on the wire once more.
 * Each step ends in an alarm: three of a resignation, one to take over, one to speak.
 */
export function settleUs({ slowestUs, wireUs, lateUs }: Pace): number {
  return resignUs(slowestUs) + 4 * slowestUs + slowestUs + 3 * wireUs + 5 * lateUs;
}
