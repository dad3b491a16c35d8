import { isDeepStrictEqual } from "node:util";
import { formatDurationUs, MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { formatEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { CheckerFactory } from "../checks/checker-factory.ts";
import { fail, notRun, type Outcome } from "../checks/outcome.ts";
import type { CheckConfig, ServerConfig, ServiceConfig } from "../config/model.ts";
import { Agenda } from "../health/agenda.ts";
import { RateMeter } from "../health/rate-meter.ts";
import { startSchedule } from "../health/schedule.ts";
import { initialVerdict, type Verdict } from "../health/verdict.ts";
import { type Decision, decide, isSameDecision } from "../health/weights.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import { type CheckSnapshot, CheckTask } from "./check-task.ts";
import { ScriptSlots } from "./script-slots.ts";

/** Checks handled before other events get their turn: starting one costs up to 100 µs. */
const MAX_PER_TURN = 100;
/** How long an aborted attempt may take to resolve. It should be no time at all; this is for a fault of ours. */
const ABORT_GRACE_US = MICROSECONDS_PER_SECOND;

/** Something happened to a check or to a server. `server` is its endpoint, `10.0.0.11:80`. */
export type CheckRunnerEvent =
  /** The verdict of one check changed. */
  | {
      readonly type: "check";
      readonly service: string;
      readonly server: string;
      readonly check: string;
      readonly from: Verdict;
      readonly to: Verdict;
      readonly reason: string;
      /** How long the verdict before had stood. */
      readonly afterUs: number;
    }
  /** What the table should hold for one server changed; null = not before, or no longer, in the configuration. */
  | {
      readonly type: "server";
      readonly service: string;
      readonly server: string;
      readonly from: Decision | null;
      readonly to: Decision | null;
    }
  /** A check could not be run; told once until it runs again. */
  | {
      readonly type: "notRun";
      readonly service: string;
      readonly server: string;
      readonly check: string;
      readonly reason: string;
      readonly detail: string;
    };

export interface ServerSnapshot {
  readonly service: string;
  readonly server: string;
  readonly decision: Decision;
  /** When the decision's verdict became what it is. */
  readonly sinceUs: number;
  readonly checks: readonly CheckSnapshot[];
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

export interface CheckRunnerParts {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** Called for every configuration, so that the files it names are read again. */
  readonly createFactory: () => CheckerFactory;
  readonly onEvent: (event: CheckRunnerEvent) => void;
}

export interface RunnerConfig {
  readonly services: readonly ServiceConfig[];
  readonly maxConcurrentScripts: number;
}

/** Whether the kernel already sent connections (weight above 0) to a server before this process looked at it. */
export type IsServing = (service: ServiceConfig, server: ServerConfig) => boolean;

interface ServerEntry {
  readonly service: ServiceConfig;
  readonly server: ServerConfig;
  readonly tasks: readonly CheckTask[];
  readonly decision: Decision;
  readonly sinceUs: number;
}

/** Runs all checks of a configuration and says what becomes of every server. */
export class CheckRunner {
  readonly #with: CheckRunnerParts;
  readonly #alarm: Alarm;
  readonly #agenda = new Agenda<CheckTask>();
  readonly #slots = new ScriptSlots<CheckTask>(1);
  readonly #meter: RateMeter;
  /** By service and endpoint; as many as the configuration has. */
  #servers = new Map<string, ServerEntry>();
  #running = 0;
  /** When the alarm goes off. It may do so for nothing, never too late. */
  #armedUs = Number.POSITIVE_INFINITY;

  constructor(parts: CheckRunnerParts) {
    this.#with = parts;
    this.#alarm = parts.alarms.create(() => this.#onAlarm());
    this.#meter = new RateMeter(parts.clock.nowUs());
  }

  /**
   * Takes in a configuration, the first or a new one. Checks that did not change keep their verdict, schedule and
   * attempt under way; the others stop or start. A check that is new on a server that was up, here or in the kernel,
   * begins as up: a reload must not take out a server that serves.
   */
  reconfigure(config: RunnerConfig, isServing: IsServing = () => false): void {
    const before = this.#servers;
    const kept = new Set<CheckTask>();
    const events: CheckRunnerEvent[] = [];
    const createChecker = this.#with.createFactory();
    this.#servers = new Map();
    for (const service of config.services) {
      for (const server of service.servers) {
        const key = keyOf(service.name, server);
        const old = before.get(key);
        const isUp = isUpBefore(old, () => isServing(service, server));
        const tasks = server.checks.map((check) => {
          const same = sameTask(old, check, kept);
          const task = same ?? this.#newTask({ key, service, server, check, isUp }, createChecker);
          kept.add(task);
          return task;
        });
        events.push(...this.#settle(key, { service, server, tasks }, old));
      }
    }
    for (const [key, old] of before) {
      for (const task of old.tasks) if (!kept.has(task)) this.#stopTask(task);
      if (!this.#servers.has(key)) events.push({ type: "server", ...namesOf(old), from: old.decision, to: null });
    }
    this.#slots.resize(config.maxConcurrentScripts);
    this.#startWaiting();
    this.#arm();
    for (const event of events) this.#with.onEvent(event);
  }

  /** What `reconfigure` would decide about every server at once, without doing it. */
  predict(
    services: readonly ServiceConfig[],
    isServing: IsServing = () => false,
  ): readonly Pick<ServerSnapshot, "service" | "server" | "decision">[] {
    const predicted: Pick<ServerSnapshot, "service" | "server" | "decision">[] = []; // bounded by the configuration
    for (const service of services) {
      for (const server of service.servers) {
        const key = keyOf(service.name, server);
        const old = this.#servers.get(key);
        const fresh = initialVerdict(
          isUpBefore(old, () => isServing(service, server)),
          0,
        ).verdict;
        const kept = new Set<CheckTask>();
        const standings = server.checks.map((check) => {
          const same = sameTask(old, check, kept);
          if (same === undefined) return { name: check.name, verdict: fresh, reason: "", scriptWeight: null };
          kept.add(same);
          return same.standing();
        });
        const decision = decide({ weight: server.weight, onDown: service.onDown }, standings);
        predicted.push({ service: service.name, server: formatEndpoint(server), decision });
      }
    }
    return predicted;
  }

  /** Whether reconfiguring would begin with a server that is not known yet. */
  hasNews(services: readonly ServiceConfig[]): boolean {
    return services.some(({ name, servers }) => servers.some((server) => !this.#servers.has(keyOf(name, server))));
  }

  /** Aborts every attempt and forgets everything, without events. */
  stop(): void {
    for (const entry of this.#servers.values()) for (const task of entry.tasks) this.#stopTask(task);
    this.#servers = new Map();
    this.#arm();
  }

  snapshot(): readonly ServerSnapshot[] {
    return [...this.#servers.values()].map(snapshotOf);
  }

  /** One server of the configuration; undefined if it is not in it. */
  snapshotServer(service: string, server: string): ServerSnapshot | undefined {
    const entry = this.#servers.get(`${service} ${server}`);
    return entry === undefined ? undefined : snapshotOf(entry);
  }

  /**
   * So many servers in turn, for who wants to see all of them bit by bit.
   * @param from where the last part ended; 0 at first
   * @returns the part, and where the next one begins
   */
  snapshotPart(from: number, count: number): { readonly servers: readonly ServerSnapshot[]; readonly next: number } {
    const servers: ServerSnapshot[] = [];
    let at = 0;
    for (const entry of this.#servers.values()) {
      if (at >= from + count) break;
      if (at >= from) servers.push(snapshotOf(entry));
      at += 1;
    }
    return { servers, next: at >= this.#servers.size ? 0 : at };
  }

  get servers(): number {
    return this.#servers.size;
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

  #newTask(
    of: { key: string; service: ServiceConfig; server: ServerConfig; check: CheckConfig; isUp: boolean },
    createChecker: CheckerFactory,
  ): CheckTask {
    const { service, server, check } = of;
    const nowUs = this.#with.clock.nowUs();
    const { address, port } = server;
    const target = { service: service.name, check: check.name, address, port, family: familyOf(address) };
    const schedule = startSchedule(nowUs, check.intervalUs, this.#with.random());
    const verdict = initialVerdict(of.isUp, nowUs);
    const task = new CheckTask({ check, serverKey: of.key, schedule, verdict }, createChecker(check, target));
    this.#agenda.set(task, task.slotUs);
    return task;
  }

  #stopTask(task: CheckTask): void {
    this.#agenda.delete(task);
    this.#slots.leave(task);
    const { attempt } = task;
    if (attempt !== null) {
      this.#leaveAttempt(task);
      attempt.abort();
    }
    task.checker.close();
  }

  #onAlarm(): void {
    this.#armedUs = Number.POSITIVE_INFINITY;
    const nowUs = this.#with.clock.nowUs();
    for (let handled = 0; handled < MAX_PER_TURN; handled++) {
      const next = this.#agenda.peek();
      if (next === undefined || next.atUs > nowUs) break;
      this.#onDue(next.item, next.atUs, nowUs);
    }
    this.#arm();
  }

  /** Sees to it that the alarm goes off in time for the earliest. An alarm for what has moved later is left alone. */
  #arm(): void {
    const next = this.#agenda.peek();
    if (next === undefined) {
      this.#armedUs = Number.POSITIVE_INFINITY;
      this.#alarm.disarm();
    } else if (next.atUs < this.#armedUs) {
      this.#armedUs = next.atUs;
      this.#alarm.arm(next.atUs);
    }
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
      this.#arm();
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
    // Nearly every outcome confirms what was known: then there is nothing to decide.
    const isNews = changes.length > 0 || task.scriptWeight !== weightBefore;
    const entry = isNews ? this.#servers.get(task.serverKey) : undefined;
    if (entry !== undefined) {
      const settled = this.#settle(task.serverKey, entry, entry);
      const afterUs = nowUs - sinceUs;
      for (const { from, to, reason } of changes) {
        this.#with.onEvent({ type: "check", ...namesOf(entry), check: task.check.name, from, to, reason, afterUs });
      }
      for (const event of settled) this.#with.onEvent(event);
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
    const entry = this.#servers.get(task.serverKey);
    if (task.isNotRunReported || entry === undefined) return;
    task.isNotRunReported = true;
    this.#with.onEvent({ type: "notRun", ...namesOf(entry), check: task.check.name, reason, detail });
  }

  /** Decides about a server anew; returns an event if that changed anything. */
  #settle(
    key: string,
    entry: Pick<ServerEntry, "service" | "server" | "tasks">,
    old: ServerEntry | undefined,
  ): readonly CheckRunnerEvent[] {
    const { service, server, tasks } = entry;
    const policy = { weight: server.weight, onDown: service.onDown };
    const decision = decide(
      policy,
      tasks.map((task) => task.standing()),
    );
    const sinceUs = old?.decision.verdict === decision.verdict ? old.sinceUs : this.#with.clock.nowUs();
    const settled: ServerEntry = { service, server, tasks, decision, sinceUs };
    this.#servers.set(key, settled);
    const from = old?.decision ?? null;
    if (from !== null && isSameDecision(from, decision)) return NO_EVENTS;
    return [{ type: "server", ...namesOf(settled), from, to: decision }];
  }
}

const NO_EVENTS: readonly CheckRunnerEvent[] = [];

function snapshotOf(entry: ServerEntry): ServerSnapshot {
  return {
    service: entry.service.name,
    server: formatEndpoint(entry.server),
    decision: entry.decision,
    sinceUs: entry.sinceUs,
    checks: entry.tasks.map((task) => task.snapshot()),
  };
}

function isUpBefore(old: ServerEntry | undefined, isServing: () => boolean): boolean {
  return old === undefined ? isServing() : old.decision.verdict === "up";
}

/** The task that goes on for a check of a new configuration. */
function sameTask(
  old: ServerEntry | undefined,
  check: CheckConfig,
  kept: ReadonlySet<CheckTask>,
): CheckTask | undefined {
  return old?.tasks.find((task) => !kept.has(task) && isDeepStrictEqual(task.check, check));
}

function namesOf(entry: ServerEntry): { readonly service: string; readonly server: string } {
  return { service: entry.service.name, server: formatEndpoint(entry.server) };
}

function keyOf(service: string, server: ServerConfig): string {
  return `${service} ${formatEndpoint(server)}`;
}
