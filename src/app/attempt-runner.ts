import { formatDurationUs, MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { fail, notRun, type Outcome } from "../checks/outcome.ts";
import { Agenda } from "../health/agenda.ts";
import { RateMeter } from "../health/rate-meter.ts";
import type { VerdictChanged } from "../health/verdict.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { CheckTask } from "./check-task.ts";
import { ScriptSlots } from "./script-slots.ts";

/** Checks handled before other events get their turn: starting one costs up to 100 µs. */
const MAX_PER_TURN = 100;
/** How long an aborted attempt may take to resolve. It should be no time at all; this is for a fault of ours. */
const ABORT_GRACE_US = MICROSECONDS_PER_SECOND;

/** What an attempt that could be made changed. */
export interface AttemptNews {
  readonly changes: readonly VerdictChanged[];
  /** How long the verdict before had stood. */
  readonly afterUs: number;
  /** Whether a script set another weight, or none any more. */
  readonly isWeightChanged: boolean;
}

export interface RunnerStatistics {
  readonly checks: number;
  readonly running: number;
  /** Scripts waiting for a slot. */
  readonly waiting: number;
  /** Attempts begun per second, over the last ten seconds. */
  readonly attemptsPerSecond: number;
  /** Greatest delay between a slot and the start of its attempt, over the last ten seconds. */
  readonly maxLateUs: number;
}

export interface AttemptRunnerCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  /** An attempt passed or failed; the task knows already. */
  onAttempt(task: CheckTask, news: AttemptNews): void;
  /** An attempt could not be made: this machine's fault. Told once until one can be made again. */
  onNotRun(task: CheckTask, reason: string, detail: string): void;
}

/** Begins the attempts of any number of checks when they are due, and ends them in time, with one timer for all. */
export class AttemptRunner {
  readonly #with: AttemptRunnerCollaborators;
  readonly #alarm: Alarm;
  readonly #agenda = new Agenda<CheckTask>();
  readonly #slots = new ScriptSlots<CheckTask>(1);
  readonly #meter: RateMeter;
  #running = 0;
  /** When the alarm goes off. It may do so for nothing, never too late. */
  #armedUs = Number.POSITIVE_INFINITY;

  constructor(collaborators: AttemptRunnerCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => this.#onAlarm());
    this.#meter = new RateMeter(collaborators.clock.nowUs());
  }

  /** From its next slot on; `arm` when all have been added. */
  add(task: CheckTask): void {
    this.#agenda.set(task, task.slotUs);
  }

  /** Aborts the attempt under way, whose outcome nobody hears; `arm` when all have been removed. */
  remove(task: CheckTask): void {
    this.#agenda.delete(task);
    this.#slots.leave(task);
    const { attempt } = task;
    if (attempt !== null) {
      this.#leaveAttempt(task);
      attempt.abort();
    }
    task.checker.close();
  }

  /** @param maxScripts how many scripts may run at once */
  resize(maxScripts: number): void {
    this.#slots.resize(maxScripts);
    this.#startWaiting();
  }

  /** Sees to it that the alarm goes off in time for the earliest. An alarm for what has moved later is left alone. */
  arm(): void {
    const next = this.#agenda.peek();
    if (next === undefined) {
      this.#armedUs = Number.POSITIVE_INFINITY;
      this.#alarm.disarm();
    } else if (next.atUs < this.#armedUs) {
      this.#armedUs = next.atUs;
      this.#alarm.arm(next.atUs);
    }
  }

  statistics(): RunnerStatistics {
    const { perSecond, maxLateUs } = this.#meter.read(this.#with.clock.nowUs());
    return {
      checks: this.#agenda.size,
      running: this.#running,
      waiting: this.#slots.waiting,
      attemptsPerSecond: perSecond,
      maxLateUs,
    };
  }

  #onAlarm(): void {
    this.#armedUs = Number.POSITIVE_INFINITY;
    const nowUs = this.#with.clock.nowUs();
    for (let handled = 0; handled < MAX_PER_TURN; handled++) {
      const next = this.#agenda.peek();
      if (next === undefined || next.atUs > nowUs) break;
      this.#onDue(next.item, next.atUs, nowUs);
    }
    this.arm();
  }

  #onDue(task: CheckTask, dueUs: number, nowUs: number): void {
    switch (task.phase) {
      case "idle":
        if (task.check.type !== "script" || this.#slots.take(task)) {
          this.#meter.note(nowUs, nowUs - task.slotUs);
          this.#start(task, nowUs);
        } else {
          task.phase = "waiting";
          this.#agenda.set(task, task.slotUs + task.check.intervalUs);
        }
        break;
      case "waiting":
        this.#didNotRun(task, nowUs);
        break;
      case "running":
        this.#onDeadline(task, dueUs, nowUs);
        break;
      case "aborting":
        this.#finish(task, fail("stuck", "the attempt did not end after it was aborted; please report this"));
        break;
    }
  }

  /**
   * A deadline that is noticed late was late because this process did not get to run, and in that time it could not
   * read an answer either. It is moved once, by as much; otherwise one stall would fail thousands of checks.
   */
  #onDeadline(task: CheckTask, dueUs: number, nowUs: number): void {
    if (nowUs > dueUs && !task.isExtended) {
      task.isExtended = true;
      this.#agenda.set(task, nowUs + Math.min(nowUs - dueUs, task.check.timeoutUs));
      return;
    }
    task.phase = "aborting";
    this.#agenda.set(task, nowUs + ABORT_GRACE_US);
    task.attempt?.abort();
  }

  #start(task: CheckTask, nowUs: number): void {
    const number = task.attemptNumber + 1;
    task.attemptNumber = number;
    this.#running += 1;
    task.phase = "running";
    task.startedUs = nowUs;
    task.isExtended = false;
    this.#agenda.set(task, nowUs + task.check.timeoutUs);
    task.attempt = task.checker.begin((outcome) => {
      // Otherwise the attempt was given up: it got stuck, or its check was stopped.
      if (task.attempt === null || task.attemptNumber !== number) return;
      this.#finish(task, outcome);
      this.arm();
    });
  }

  #leaveAttempt(task: CheckTask): void {
    task.attempt = null;
    this.#running -= 1;
    if (task.check.type === "script") this.#slots.release();
  }

  #finish(task: CheckTask, outcome: Outcome): void {
    const nowUs = this.#with.clock.nowUs();
    this.#leaveAttempt(task);
    task.phase = "idle";
    const { sinceUs } = task.verdict;
    const weightBefore = task.scriptWeight;
    const changes = task.record(outcome, nowUs);
    task.advance(nowUs);
    this.#agenda.set(task, task.slotUs);
    if (outcome.passed === null) this.#reportNotRun(task, outcome.reason, outcome.detail);
    else {
      const isWeightChanged = task.scriptWeight !== weightBefore;
      this.#with.onAttempt(task, { changes, afterUs: nowUs - sinceUs, isWeightChanged });
    }
    if (task.check.type === "script") this.#startWaiting();
  }

  #startWaiting(): void {
    for (let task = this.#slots.next(); task !== undefined; task = this.#slots.next()) {
      const nowUs = this.#with.clock.nowUs();
      // Waiting for a slot is no lateness of this process; it is counted where a slot did not come in time.
      this.#meter.note(nowUs, 0);
      this.#start(task, nowUs);
    }
  }

  /** A script that got no slot within its interval was not run: this machine's doing, so no failure. It waits on. */
  #didNotRun(task: CheckTask, nowUs: number): void {
    const interval = formatDurationUs(task.check.intervalUs);
    const detail = `no script slot came free within ${interval}; raise scripts.maxConcurrent or the interval`;
    task.record(notRun("no_slot", detail), nowUs);
    task.waitOn(nowUs);
    this.#agenda.set(task, task.slotUs + task.check.intervalUs);
    this.#reportNotRun(task, "no_slot", detail);
  }

  #reportNotRun(task: CheckTask, reason: string, detail: string): void {
    if (task.isNotRunReported) return;
    task.isNotRunReported = true;
    this.#with.onNotRun(task, reason, detail);
  }
}
