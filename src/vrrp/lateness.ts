import type { InstanceState } from "./instance-model.ts";

/** The advert timer and the down timer keep a promise to peers; the rest repeats, announces and tidies up. */
export const TIMER_KINDS = ["advert", "down", "other"] as const;

export type TimerKind = (typeof TIMER_KINDS)[number];

/**
 * Which timers have run out, and how late they are looked at.
 * @returns at most one entry a timer, microseconds; empty when nothing is due
 */
export function dueTimers(state: InstanceState, nowUs: number): readonly (readonly [TimerKind, number])[] {
  const deadlines: readonly (readonly [TimerKind, number | null])[] = [
    ["advert", state.advertDeadlineUs],
    ["down", state.downDeadlineUs],
    ["other", state.announceDeadlineUs],
    ["other", state.retryDeadlineUs],
    ["other", state.handover?.deadlineUs ?? null],
    ["other", state.farewell?.deadlineUs ?? null],
    ["other", state.silence?.servedByUs ?? null],
    ["other", state.silence?.untilUs ?? null],
  ];
  return deadlines.flatMap(([kind, deadlineUs]) =>
    deadlineUs === null || deadlineUs > nowUs ? [] : [[kind, nowUs - deadlineUs] as const],
  );
}
