import { isDeepStrictEqual } from "node:util";
import type { Checker } from "../checks/checker.ts";
import type { ScriptCheckConfig } from "../config/model.ts";
import { startSchedule } from "../health/schedule.ts";
import { initialVerdict, type VerdictChanged } from "../health/verdict.ts";
import type { AlarmFactory, Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import type { ScriptFact } from "../vrrp/track.ts";
import { AttemptRunner } from "./attempt-runner.ts";
import { CheckTask } from "./check-task.ts";
import { type InstanceScript, scriptFactKey } from "./messages.ts";

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
}

/**
 * Runs the scripts that instances track. They have slots of their own, as many as the checks' scripts: servers whose scripts hang
 * must not keep this node from judging itself.
 */
export class TrackScripts {
  readonly #with: TrackScriptsCollaborators;
  readonly #attempts: AttemptRunner;
  /** By fact key; as many as the configuration has. */
  #entries = new Map<string, Entry>();

  constructor(collaborators: TrackScriptsCollaborators) {
    this.#with = collaborators;
    this.#attempts = new AttemptRunner({
      clock: collaborators.clock,
      alarms: collaborators.alarms,
      onAttempt: (task, { changes }) => this.#onAttempt(task, changes),
      onNotRun: (task, _, detail) => this.#onNotRun(task, detail),
    });
  }

  /** Scripts that did not change go on. One that did begins as it stood: a reload alone must not make a node fail. */
  reconfigure(scripts: readonly InstanceScript[], maxConcurrent: number): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const of of scripts) {
      const key = scriptFactKey(of.instance, of.script.name);
      const old = before.get(key);
      const isSame = old !== undefined && isDeepStrictEqual(old.of, of);
      if (!isSame && old !== undefined) this.#attempts.remove(old.task);
      this.#entries.set(key, isSame ? old : this.#begin(key, of, old?.task.verdict.verdict === "up"));
      before.delete(key);
    }
    for (const [key, old] of before) {
      this.#attempts.remove(old.task);
      this.#with.publish(key, null);
    }
    this.#attempts.resize(maxConcurrent);
    this.#attempts.arm();
  }

  /** Aborts every run; what was told stands. */
  stop(): void {
    for (const { task } of this.#entries.values()) this.#attempts.remove(task);
    this.#entries = new Map();
    this.#attempts.arm();
  }

  #begin(key: string, of: InstanceScript, isUp: boolean): Entry {
    const { script, instance } = of;
    const { clock } = this.#with;
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
    this.#attempts.add(task);
    return { of, task };
  }

  #onAttempt(task: CheckTask, changes: readonly VerdictChanged[]): void {
    const entry = this.#entries.get(task.serverKey);
    if (entry === undefined) return;
    const { of } = entry;
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
    const isFirst = task.attempts === 1;
    if (changes.length > 0 || isFirst) this.#tell(entry);
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

  #onNotRun(task: CheckTask, detail: string): void {
    const entry = this.#entries.get(task.serverKey);
    if (entry !== undefined) this.#say("warning", entry.of, `was not run: ${detail}`);
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
