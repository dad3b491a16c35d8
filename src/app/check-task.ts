import type { Attempt, Checker } from "../checks/checker.ts";
import type { Outcome } from "../checks/outcome.ts";
import type { CheckConfig } from "../config/model.ts";
import { advanceSchedule, catchUp, dueUs, type Schedule } from "../health/schedule.ts";
import { stepVerdict, type Verdict, type VerdictChanged, type VerdictState } from "../health/verdict.ts";
import type { CheckStanding } from "../health/weights.ts";

/**
 * What a check waits for; exactly one thing at a time, so it stands in the agenda once:
 * idle = its next slot; waiting = a script slot, until the next slot of its own; running = its deadline;
 * aborting = the aborted attempt's outcome.
 */
export type TaskPhase = "idle" | "waiting" | "running" | "aborting";

export interface CheckSnapshot {
  readonly name: string;
  readonly verdict: Verdict;
  /** Up only because it served before; no attempt has passed yet. */
  readonly isAssumed: boolean;
  readonly sinceUs: number;
  /** Code of the last attempt: `passed`, a failure reason, or why it was not run; null before the first. */
  readonly lastReason: string | null;
  /** Sentence of the last attempt; null before the first. */
  readonly last: string | null;
  /** Attempts that were made, with any outcome. */
  readonly attempts: number;
  readonly failed: number;
  /** Times that an attempt could not be made. */
  readonly notRun: number;
  /** Slots that went by while an attempt was still under way or the process did not get to run. */
  readonly missed: number;
  readonly latencyUs: number | null;
  readonly latencySumUs: number;
}

/** One check of one server at run time: where it stands, and what its attempts said. */
export class CheckTask {
  readonly check: CheckConfig;
  readonly checker: Checker;
  /** Whose check this is; outlives a reload, which makes new descriptions of the same server. */
  readonly serverKey: string;
  phase: TaskPhase = "idle";
  /** While running. */
  attempt: Attempt | null = null;
  /** Number of the present or the last attempt: an outcome of an earlier one is not heard any more. */
  attemptNumber = 0;
  startedUs = 0;
  /** Whether the deadline of this attempt has been moved once (see AttemptRunner). */
  isExtended = false;
  /** Told about not being run; once per row of such slots. */
  isNotRunReported = false;
  #schedule: Schedule;
  #verdict: VerdictState;
  #scriptWeight: number | null = null;
  #last: Outcome | null = null;
  #attempts = 0;
  #failed = 0;
  #notRun = 0;
  #missed = 0;
  #latencyUs: number | null = null;
  #latencySumUs = 0;

  constructor(
    options: {
      readonly check: CheckConfig;
      readonly serverKey: string;
      readonly schedule: Schedule;
      readonly verdict: VerdictState;
    },
    checker: Checker,
  ) {
    this.check = options.check;
    this.serverKey = options.serverKey;
    this.#schedule = options.schedule;
    this.#verdict = options.verdict;
    this.checker = checker;
  }

  /** When its next slot begins. */
  get slotUs(): number {
    return dueUs(this.#schedule);
  }

  get verdict(): VerdictState {
    return this.#verdict;
  }

  /** Attempts that were made, with any outcome. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Weight that a script set with its last pass; null = none. */
  get scriptWeight(): number | null {
    return this.#scriptWeight;
  }

  standing(): CheckStanding {
    return {
      name: this.check.name,
      verdict: this.#verdict.verdict,
      reason: this.#verdict.reason,
      scriptWeight: this.#scriptWeight,
    };
  }

  /** The present slot is used up. */
  advance(nowUs: number): void {
    const { schedule, missed } = advanceSchedule(this.#schedule, nowUs);
    this.#schedule = schedule;
    this.#missed += missed;
  }

  /** The present slot went by while this waited; it waits on in the one that has begun since. */
  waitOn(nowUs: number): void {
    const { schedule, missed } = catchUp(this.#schedule, nowUs);
    this.#schedule = schedule;
    this.#missed += missed;
  }

  /** Takes in the outcome of the attempt that is under way; returns what changed. */
  record(outcome: Outcome, nowUs: number): readonly VerdictChanged[] {
    this.#last = outcome;
    if (outcome.passed === null) {
      this.#notRun += 1;
      return [];
    }
    this.#attempts += 1;
    if (!outcome.passed) this.#failed += 1;
    this.#latencyUs = nowUs - this.startedUs;
    this.#latencySumUs += this.#latencyUs;
    this.isNotRunReported = false;
    if (outcome.passed) this.#scriptWeight = outcome.weight ?? null;
    const type = outcome.passed ? "passed" : "failed";
    const { state, actions } = stepVerdict(this.check, this.#verdict, { type, nowUs, reason: outcome.detail });
    this.#verdict = state;
    return actions;
  }

  snapshot(): CheckSnapshot {
    return {
      name: this.check.name,
      verdict: this.#verdict.verdict,
      isAssumed: this.#verdict.isAssumed,
      sinceUs: this.#verdict.sinceUs,
      lastReason: this.#last === null ? null : this.#last.passed ? "passed" : this.#last.reason,
      last: this.#last?.detail ?? null,
      attempts: this.#attempts,
      failed: this.#failed,
      notRun: this.#notRun,
      missed: this.#missed,
      latencyUs: this.#latencyUs,
      latencySumUs: this.#latencySumUs,
    };
  }
}
