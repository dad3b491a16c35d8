import { isDeepStrictEqual } from "node:util";
import { formatDurationUs } from "../base/duration.ts";
import type { Checker } from "../checks/checker.ts";
import { fail, notRun, type Outcome } from "../checks/outcome.ts";
import type { ScriptCheckConfig } from "../config/model.ts";
import { startSchedule } from "../health/schedule.ts";
import { initialVerdict } from "../health/verdict.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import type { ScriptFact } from "../vrrp/track.ts";
import { CheckTask } from "./check-task.ts";
import { type InstanceScript, scriptFactKey } from "./messages.ts";
import { ScriptSlots } from "./script-slots.ts";

/** How long an aborted run may take to tell its outcome. It should be no time at all; this is for a fault of ours. */
const ABORT_GRACE_US = 1_000_000;

export interface TrackScriptsCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  /** 0 <= random() < 1: where in its first interval a script begins. */
  readonly random: () => number;
  createChecker(instance: string, check: ScriptCheckConfig): Checker;
  publish(key: string, fact: ScriptFact | null): void;
}

interface Entry {
  readonly of: InstanceScript;
  readonly task: CheckTask;
  readonly alarm: Alarm;
}

/**
 * Runs the scripts that instances track. They have slots of their own, as many as the checks' scripts: servers whose scripts hang
 * must not keep this node from judging itself.
 */
export class TrackScripts {
  readonly #with: TrackScriptsCollaborators;
  readonly #slots = new ScriptSlots<Entry>(1);
  /** By fact key; as many as the configuration has. */
  #entries = new Map<string, Entry>();

  constructor(collaborators: TrackScriptsCollaborators) {
    this.#with = collaborators;
  }

  /** Scripts that did not change go on. One that did begins as it stood: a reload alone must not make a node fail. */
  reconfigure(scripts: readonly InstanceScript[], maxConcurrent: number): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const of of scripts) {
      const key = scriptFactKey(of.instance, of.script.name);
      const old = before.get(key);
      const isSame = old !== undefined && isDeepStrictEqual(old.of, of);
      if (!isSame && old !== undefined) this.#end(old);
      this.#entries.set(key, isSame ? old : this.#begin(key, of, old?.task.verdict.verdict === "up"));
      before.delete(key);
    }
    for (const [key, old] of before) {
      this.#end(old);
      this.#with.publish(key, null);
    }
    this.#slots.resize(maxConcurrent);
    this.#startWaiting();
  }

  /** Aborts every run; what was told stands. */
  stop(): void {
    for (const entry of this.#entries.values()) this.#end(entry);
    this.#entries = new Map();
  }

  #begin(key: string, of: InstanceScript, isUp: boolean): Entry {
    const { script, instance } = of;
    const { clock, alarms } = this.#with;
    const { name, command, intervalUs, timeoutUs, rise, fall } = script;
    const check: ScriptCheckConfig = {
      type: "script",
      setsWeight: false,
      name,
      command,
      intervalUs,
      timeoutUs,
      rise,
      fall,
    };
    const task = new CheckTask(
      {
        check,
        serverKey: key,
        schedule: startSchedule(clock.nowUs(), intervalUs, this.#with.random()),
        verdict: initialVerdict(isUp, clock.nowUs()),
      },
      this.#with.createChecker(instance, check),
    );
    const entry: Entry = { of, task, alarm: alarms.create(() => this.#onDue(entry)) };
    entry.alarm.arm(task.slotUs);
    return entry;
  }

  #end(entry: Entry): void {
    const { task, alarm } = entry;
    alarm.close();
    this.#slots.leave(entry);
    const { attempt } = task;
    if (attempt !== null) {
      this.#leaveAttempt(task);
      attempt.abort();
    }
    task.checker.close();
  }

  #onDue(entry: Entry): void {
    const { task, alarm } = entry;
    const nowUs = this.#with.clock.nowUs();
    switch (task.phase) {
      case "idle":
        if (this.#slots.take(entry)) this.#start(entry);
        else {
          task.phase = "waiting";
          alarm.arm(task.slotUs + task.check.intervalUs);
        }
        return;
      case "waiting":
        this.#didNotRun(entry, nowUs);
        return;
      case "running":
        task.phase = "aborting";
        alarm.arm(nowUs + ABORT_GRACE_US);
        task.attempt?.abort();
        return;
      case "aborting":
        this.#finish(entry, fail("stuck", "the run did not end after it was aborted; please report this"));
    }
  }

  #start(entry: Entry): void {
    const { task, alarm } = entry;
    const number = task.attemptNumber + 1;
    const nowUs = this.#with.clock.nowUs();
    task.attemptNumber = number;
    task.phase = "running";
    task.startedUs = nowUs;
    alarm.arm(nowUs + task.check.timeoutUs);
    task.attempt = task.checker.begin((outcome) => {
      // Otherwise the run was given up: it got stuck, or the script is no longer tracked.
      if (task.attempt !== null && task.attemptNumber === number) this.#finish(entry, outcome);
    });
  }

  #leaveAttempt(task: CheckTask): void {
    task.attempt = null;
    this.#slots.release();
  }

  #finish(entry: Entry, outcome: Outcome): void {
    const { task, alarm, of } = entry;
    const nowUs = this.#with.clock.nowUs();
    this.#leaveAttempt(task);
    task.phase = "idle";
    const wasKnown = task.attempts > 0;
    const changes = task.record(outcome, nowUs);
    task.advance(nowUs);
    alarm.arm(task.slotUs);
    for (const { from, to, reason } of changes) {
      const level = to === "down" ? "warning" : "notice";
      this.#say(level, of, `${wordOf(from)} -> ${wordOf(to)}: ${reason}`, {
        type: "instance",
        subject: `instance ${of.instance} script ${of.script.name}`,
        from: wordOf(from),
        to: wordOf(to),
        cause: reason,
      });
    }
    if (outcome.passed === null) this.#reportNotRun(entry, outcome.detail);
    else if (changes.length > 0 || !wasKnown) this.#tell(entry);
    this.#startWaiting();
  }

  /** What was judged is told; before, whatever a former process told stands. */
  #tell({ of, task }: Entry): void {
    const { verdict, reason } = task.verdict;
    this.#with.publish(scriptFactKey(of.instance, of.script.name), {
      type: "script",
      isPassing: verdict === "up",
      reason,
    });
  }

  #startWaiting(): void {
    for (let entry = this.#slots.next(); entry !== undefined; entry = this.#slots.next()) this.#start(entry);
  }

  /** No slot came free in its interval: this machine's doing, so the verdict stands. It waits on. */
  #didNotRun(entry: Entry, nowUs: number): void {
    const { task, alarm } = entry;
    const interval = formatDurationUs(task.check.intervalUs);
    const detail = `no script slot came free within ${interval}; raise scripts.maxConcurrent or the interval`;
    task.record(notRun("no_slot", detail), nowUs);
    task.waitOn(nowUs);
    alarm.arm(task.slotUs + task.check.intervalUs);
    this.#reportNotRun(entry, detail);
  }

  #reportNotRun({ of, task }: Entry, detail: string): void {
    if (task.isNotRunReported) return;
    task.isNotRunReported = true;
    this.#say("warning", of, `was not run: ${detail}`);
  }

  #say(level: LogEntry["level"], { instance, script }: InstanceScript, what: string, event?: EventFacts): void {
    const message = `instance ${instance}: tracked script ${script.name} ${what}`;
    this.#with.logger.log({ level, source: "checker", message, ...(event === undefined ? {} : { event }) });
  }
}

function wordOf(verdict: "unknown" | "up" | "down"): string {
  if (verdict === "unknown") return "unknown";
  return verdict === "up" ? "passes" : "fails";
}
