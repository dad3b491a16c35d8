import { isDeepStrictEqual } from "node:util";
import { formatEndpoint } from "../base/endpoint.ts";
import { familyOf } from "../base/ip.ts";
import type { CheckerFactory } from "../checks/checker-factory.ts";
import type { CheckConfig, ServerConfig, ServiceConfig } from "../config/model.ts";
import { startSchedule } from "../health/schedule.ts";
import { initialVerdict, type Verdict } from "../health/verdict.ts";
import { type Decision, decide, isSameDecision } from "../health/weights.ts";
import type { AlarmFactory, Clock } from "../ports/clock.ts";
import { type AttemptNews, AttemptRunner, type RunnerStatistics } from "./attempt-runner.ts";
import { type CheckSnapshot, CheckTask } from "./check-task.ts";

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
  readonly #attempts: AttemptRunner;
  /** By service and endpoint; as many as the configuration has. */
  #servers = new Map<string, ServerEntry>();

  constructor(parts: CheckRunnerParts) {
    this.#with = parts;
    this.#attempts = new AttemptRunner({
      clock: parts.clock,
      alarms: parts.alarms,
      onAttempt: (task, news) => this.#onAttempt(task, news),
      onNotRun: (task, reason, detail) => this.#onNotRun(task, reason, detail),
    });
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
      for (const task of old.tasks) if (!kept.has(task)) this.#attempts.remove(task);
      if (!this.#servers.has(key)) events.push({ type: "server", ...namesOf(old), from: old.decision, to: null });
    }
    this.#attempts.resize(config.maxConcurrentScripts);
    this.#attempts.arm();
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
    for (const entry of this.#servers.values()) for (const task of entry.tasks) this.#attempts.remove(task);
    this.#servers = new Map();
    this.#attempts.arm();
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
    return this.#attempts.statistics();
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
    this.#attempts.add(task);
    return task;
  }

  #onAttempt(task: CheckTask, { changes, afterUs, isWeightChanged }: AttemptNews): void {
    // Nearly every outcome confirms what was known: then there is nothing to decide.
    const isNews = changes.length > 0 || isWeightChanged;
    const entry = isNews ? this.#servers.get(task.serverKey) : undefined;
    if (entry === undefined) return;
    const settled = this.#settle(task.serverKey, entry, entry);
    for (const { from, to, reason } of changes) {
      this.#with.onEvent({ type: "check", ...namesOf(entry), check: task.check.name, from, to, reason, afterUs });
    }
    for (const event of settled) this.#with.onEvent(event);
  }

  #onNotRun(task: CheckTask, reason: string, detail: string): void {
    const entry = this.#servers.get(task.serverKey);
    if (entry === undefined) return;
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
