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

/** A slot that began no longer ago than this part of the interval is still used, late. */
const LATE_PARTS = 10;

/**
 * Moves on after the present slot has been used (its attempt has finished).
 * @returns the schedule at the next slot, and how many slots went by unused: they are skipped, not made up for, so a
 *   check never has two attempts at once or in a burst. A slot that has just begun is used nevertheless: an attempt
 *   whose timeout is as long as the interval ends a moment after the next slot began, and must not lose every other one.
 */
export function advanceSchedule(
  schedule: Schedule,
  nowUs: number,
): { readonly schedule: Schedule; readonly missed: number } {
  const { anchorUs, intervalUs } = schedule;
  const next = schedule.slot + 1;
  const notBefore = Math.ceil((nowUs - anchorUs) / intervalUs - 1 / LATE_PARTS);
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
