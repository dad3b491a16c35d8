import { assert } from "../base/assert.ts";

/**
 * When one check's attempts begin: at anchor + slot × interval, for slot 0, 1, 2 … A late wake-up, a slow attempt or a
 * stalled process never moves the anchor, so checks that were spread at the start stay spread.
 */
export interface Schedule {
  readonly anchorUs: number;
  readonly intervalUs: number;
  /** Number of the next slot. */
  readonly slot: number;
}

/**
 * @param startUs    now
 * @param intervalUs whole microseconds, at least 1
 * @param draw       a random number, 0 <= draw < 1: where in the first interval the anchor lies
 */
export function startSchedule(startUs: number, intervalUs: number, draw: number): Schedule {
  assert(Number.isSafeInteger(intervalUs) && intervalUs >= 1, `interval out of range: ${intervalUs}`);
  assert(draw >= 0 && draw < 1, `draw out of range: ${draw}`);
  return { anchorUs: startUs + Math.floor(draw * intervalUs), intervalUs, slot: 0 };
}

/** When the next slot begins. */
export function dueUs(schedule: Schedule): number {
  return schedule.anchorUs + schedule.slot * schedule.intervalUs;
}

/**
 * Moves on after the present slot has been used (its attempt has finished, or did not run).
 * @returns the schedule at the first slot after the present one that has not begun before `nowUs`, and how many slots
 *   went by unused: they are skipped, not made up for, so a check never has two attempts at once or in a burst
 */
export function advanceSchedule(
  schedule: Schedule,
  nowUs: number,
): { readonly schedule: Schedule; readonly missed: number } {
  const next = schedule.slot + 1;
  const notBefore = Math.ceil((nowUs - schedule.anchorUs) / schedule.intervalUs);
  const slot = Math.max(next, notBefore);
  return { schedule: { ...schedule, slot }, missed: slot - next };
}

/**
 * For one that has waited since its present slot began: moves on to the slot that began last, to wait on in that one.
 * @returns the schedule at that slot, the next one at least, and how many slots lie between
 */
export function catchUp(schedule: Schedule, nowUs: number): { readonly schedule: Schedule; readonly missed: number } {
  const next = schedule.slot + 1;
  const slot = Math.max(next, Math.floor((nowUs - schedule.anchorUs) / schedule.intervalUs));
  return { schedule: { ...schedule, slot }, missed: slot - next };
}
