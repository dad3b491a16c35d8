import cron, { type ScheduledTask } from "node-cron";
import { messageOf } from "../base/director-error.ts";
import { formatEndpoint } from "../base/endpoint.ts";
import type { ScheduleAction, ScheduleConfig } from "../config/model.ts";
import type { ScheduleStatus } from "../control/status.ts";
import type { Logger, LogLevel } from "../ports/logger.ts";
import { type DueRuns, DueStore, type KeptSchedule } from "./due-store.ts";
import { scheduleEvent } from "./event-facts.ts";
import type { StateStore } from "./state-store.ts";

/** A run that is late by less is made; what is later may come at a time that nobody wanted it to. */
const TOLERANCE_MS = 60_000;
/** So many runs to come are remembered, and found missed after a standstill; more than that is told as "or more". */
const DUE_RUNS = 10;
/** Runs to come that a list shows. */
const SHOWN_RUNS = 3;

/** What became of a run, as a clause. */
export interface RunOutcome {
  readonly isGood: boolean;
  readonly cause: string;
}

export interface CalendarCollaborators {
  readonly store: StateStore;
  readonly logger: Logger;
  wallMs(): number;
  act(name: string, action: ScheduleAction): Promise<RunOutcome>;
}

interface Entry {
  readonly config: ScheduleConfig;
  readonly task: ScheduledTask;
  lastRun: ScheduleStatus["lastRun"];
  missed: ScheduleStatus["missed"];
  /** Runs that node-cron told as missed in this turn; a standstill of an hour may hold thousands, of which the first few are kept. */
  late: Late | null;
}

/** Runs in a row, as they are counted. */
type Late = Omit<DueRuns, "isAll">;

/** A run that goes on. */
interface Running {
  readonly dueMs: number;
  /** Whether a run that came due meanwhile was told: the first is, at once. */
  hasTold: boolean;
  /** The others, told when it is over: a schedule of every second does not fill the journal. */
  others: Late | null;
}

/**
 * Calendar work: node-cron calls, the supervisor acts. Never adverts, never checks. What was to run while nobody was there to run
 * it is told and not made up for: a drill at noon is not the drill that was meant for four in the morning.
 */
export class Calendar {
  readonly #with: CalendarCollaborators;
  readonly #due: DueStore;
  /** By name; bounded by the configuration. */
  readonly #entries = new Map<string, Entry>();
  /** By name, so that a reload in the middle of a run does not forget it; bounded by the schedules. */
  readonly #running = new Map<string, Running>();
  #isOpen = false;

  constructor(collaborators: CalendarCollaborators) {
    this.#with = collaborators;
    this.#due = new DueStore(collaborators.store, (message) => this.#say("warning", message));
  }

  /** Takes over the schedules of a configuration; those that stay as they are go on. */
  configure(schedules: readonly ScheduleConfig[]): void {
    const wanted = new Map(schedules.map((schedule) => [schedule.name, schedule]));
    for (const [name, { config, task }] of this.#entries) {
      if (JSON.stringify(wanted.get(name)) === JSON.stringify(config)) continue;
      void task.destroy();
      this.#entries.delete(name);
    }
    for (const schedule of schedules) if (!this.#entries.has(schedule.name)) this.#enter(schedule);
    if (!this.#isOpen) this.#lookBack();
    this.#isOpen = true;
    this.#remember();
  }

  stop(): void {
    for (const { task } of this.#entries.values()) void task.destroy();
    this.#entries.clear();
  }

  status(): readonly ScheduleStatus[] {
    return [...this.#entries.values()].map(({ config, task, lastRun, missed }) => ({
      name: config.name,
      cron: config.cron,
      timezone: zoneOf(config),
      action: describeAction(config.action),
      next: nextRuns(task, SHOWN_RUNS).map((ms) => new Date(ms).toISOString()),
      lastRun,
      missed,
    }));
  }

  #enter(config: ScheduleConfig): void {
    const { name, timezone } = config;
    const task = cron.schedule(config.cron, ({ date }) => this.#run(name, date.getTime()), {
      name,
      missedExecutionTolerance: TOLERANCE_MS,
      suppressMissedWarning: true,
      ...(timezone === null ? {} : { timezone }),
    });
    task.on("execution:missed", ({ date }) => this.#wasLate(name, date.getTime()));
    this.#entries.set(name, { config, task, lastRun: null, missed: null, late: null });
  }

  async #run(name: string, dueMs: number): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const before = this.#running.get(name);
    if (before !== undefined) {
      this.#overlap(entry, before, dueMs);
      return;
    }
    // Before it acts: what ends the daemon in the middle is no missed run.
    this.#remember();
    const { action } = entry.config;
    this.#say(
      "notice",
      `schedule ${name}: ${describeAction(action)}`,
      name,
      "started",
      `it is time for ${describeAction(action)}`,
    );
    const at = new Date(this.#with.wallMs()).toISOString();
    const running: Running = { dueMs, hasTold: false, others: null };
    this.#running.set(name, running);
    const outcome = await this.#with
      .act(name, action)
      .catch((thrown: unknown) => ({ isGood: false, cause: messageOf(thrown) }));
    this.#running.delete(name);
    const present = this.#entries.get(name) ?? entry;
    if (running.others !== null) this.#missed(present, { ...running.others, isAll: true }, goesOn(running));
    present.lastRun = { at, isGood: outcome.isGood, cause: outcome.cause };
    if (outcome.isGood) present.missed = null;
    this.#remember();
    const to = outcome.isGood ? "done" : "failed";
    this.#say(
      outcome.isGood ? "notice" : "warning",
      `schedule ${name} ${to}: ${outcome.cause}`,
      name,
      to,
      outcome.cause,
    );
  }

  /** Two runs of one schedule at once are never meant: what comes due meanwhile is not begun, and is no failure of what goes on. */
  #overlap(entry: Entry, running: Running, dueMs: number): void {
    if (running.hasTold) {
      running.others = counted(running.others, dueMs);
      return;
    }
    running.hasTold = true;
    this.#missed(entry, { count: 1, firstMs: dueMs, lastMs: dueMs, isAll: true }, goesOn(running));
    this.#remember();
  }

  /** This process stood still, or the machine was suspended. */
  #wasLate(name: string, ms: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    if (entry.late === null)
      setImmediate(() => {
        const { late } = entry;
        entry.late = null;
        if (late !== null) this.#missed(entry, { ...late, isAll: true }, "the daemon stood still");
        this.#remember();
      });
    entry.late = counted(entry.late, ms);
  }

  /** What was due while no daemon ran. */
  #lookBack(): void {
    const nowMs = this.#with.wallMs();
    for (const [name, kept] of this.#due.load()) {
      const entry = this.#entries.get(name);
      // A schedule that has been changed since was never due as it is now.
      if (entry === undefined || kept.cron !== entry.config.cron || kept.timezone !== entry.config.timezone) continue;
      entry.missed = kept.missed;
      const runs = kept.due.filter((ms) => ms <= nowMs);
      const [firstMs] = runs;
      const lastMs = runs.at(-1);
      if (firstMs === undefined || lastMs === undefined) continue;
      const isAll = runs.length < kept.due.length;
      this.#missed(entry, { count: runs.length, firstMs, lastMs, isAll }, "no daemon was running");
    }
  }

  #missed(entry: Entry, { count, firstMs, lastMs, isAll }: DueRuns, why: string): void {
    const { name, action } = entry.config;
    const [first, last] = [firstMs, lastMs].map((ms) => new Date(ms).toISOString());
    const times = count === 1 ? `at ${first}` : `${count}${isAll ? "" : " or more"} times from ${first} to ${last}`;
    entry.missed = { count: (entry.missed?.count ?? 0) + count, last: last ?? "", why };
    const cause = `${describeAction(action)} was due ${times}, and ${why}; it is not made up for`;
    this.#say("warning", `schedule ${name} missed: ${cause}`, name, "missed", cause);
  }

  #remember(): void {
    const kept = new Map<string, KeptSchedule>();
    for (const [name, { config, task, missed }] of this.#entries)
      kept.set(name, { cron: config.cron, timezone: config.timezone, due: nextRuns(task, DUE_RUNS), missed });
    this.#due.save(kept);
  }

  #say(level: LogLevel, message: string, name?: string, to = "", cause = ""): void {
    const event = name === undefined ? {} : { event: scheduleEvent(name, to, cause) };
    this.#with.logger.log({ level, source: "supervisor", message, ...event });
  }
}

/** One more. */
function counted(late: Late | null, ms: number): Late {
  return { count: (late?.count ?? 0) + 1, firstMs: late?.firstMs ?? ms, lastMs: ms };
}

function goesOn({ dueMs }: Running): string {
  return `its run of ${new Date(dueMs).toISOString()} still went on`;
}

/** Milliseconds since 1970; empty where a schedule never comes (31 February). */
function nextRuns(task: ScheduledTask, count: number): readonly number[] {
  try {
    return task.getNextRuns(count).map((date) => date.getTime());
  } catch {
    return [];
  }
}

function zoneOf({ timezone }: ScheduleConfig): string {
  return timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `takeover drill of web4`, `drain of 10.0.0.11:80 in web` */
export function describeAction(action: ScheduleAction): string {
  switch (action.type) {
    case "drill":
      return `${action.kind} drill of ${action.instance}`;
    case "drain":
    case "enable":
      return `${action.type} of ${formatEndpoint(action.server)} in ${action.service}`;
    default:
      return action.type;
  }
}
