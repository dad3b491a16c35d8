import { formatDurationUs, MICROSECONDS_PER_MILLISECOND } from "../base/duration.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ServiceConfig } from "../config/model.ts";
import {
  ALL,
  type OrderedServer,
  type OverrideAnswer,
  type OverrideOrder,
  type OverrideStatus,
  type ServerOverrideStatus,
} from "../control/overrides.ts";
import type { ControlError, ServerStatus } from "../control/status.ts";
import {
  countConnections,
  type DrainCount,
  isExpired,
  moveWithClock,
  type Override,
  overrideDueMs,
  overrideState,
  stepDrain,
  supersede,
} from "../health/overrides.ts";
import type { ReplyOutcome } from "../ipc/messages.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger, LogLevel } from "../ports/logger.ts";
import type { DrainNews, OverrideChange, OverrideReply, ServerOverride } from "./messages.ts";
import { type KeptOverride, OverrideBook } from "./override-book.ts";
import { describeOrder, isoOf, overrideOf, overrideStatus } from "./override-orders.ts";
import { configuredTargets, findTargets, type Target } from "./override-targets.ts";
import type { StateStore } from "./state-store.ts";

/** The clock is looked at this often at least while overrides stand: it may have been set. */
const LOOK_EVERY_US = 60_000_000;
/** A clock that is off by more than this from what has passed was set, and did not only drift. */
const CLOCK_STEP_MS = 1_000;
/** The override of a server that is not configured waits this long for a reload that brings the server back. */
const ABSENT_KEPT_MS = 24 * 3_600_000;
/** So many of them at most; the oldest are forgotten first. */
const MAX_ABSENT = 1_000;

export interface OverrideDeskCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly store: StateStore;
  services(): readonly ServiceConfig[];
  /** What is known of the servers of a service now. */
  serversOf(service: string): readonly Pick<ServerStatus, "server" | "present" | "weight">[];
  /** Tells the checker process, and its next one. */
  apply(changes: readonly OverrideChange[]): Promise<ReplyOutcome>;
}

/**
 * Where people and schedules override what checks say. The one owner of overrides: it keeps them over restarts, ends them in
 * time, and decides when a drain is over; the checker process counts connections and makes the table.
 */
export class OverrideDesk {
  readonly #with: OverrideDeskCollaborators;
  readonly #book: OverrideBook;
  readonly #alarm: Alarm;
  /** What was counted last of draining servers, by service and server; bounded by the book. */
  readonly #counts = new Map<string, DrainCount>();
  /** Ordered since this process started, by service and server: their lengths are known to be lengths. Bounded by the book. */
  readonly #fresh = new Set<string>();
  /** Wall clock minus time that passed. */
  #offsetMs: number;

  constructor(collaborators: OverrideDeskCollaborators) {
    this.#with = collaborators;
    this.#book = new OverrideBook(collaborators);
    this.#alarm = collaborators.alarms.create(() => this.#look());
    this.#offsetMs = this.#readOffsetMs();
  }

  /** Takes up what stood when the daemon ended, without what ended meanwhile. Before the checker process starts. */
  open(): void {
    this.#book.load();
    if (this.#book.size === 0) return;
    if (this.#dueChanges().length > 0) this.#book.save();
    this.configured();
    if (this.#book.size > 0) this.#say("notice", `${countOverrides(this.#book.size)} from before stand`);
  }

  /** Nothing ends any more. */
  close(): void {
    this.#alarm.close();
  }

  /** What the checker process is to know with its configuration. */
  standing(): readonly ServerOverride[] {
    return this.#book.all().map(({ service, server, override }) => ({ service, server, override }));
  }

  list(): readonly ServerOverrideStatus[] {
    return this.#book.all().map((kept) => ({
      service: kept.service,
      server: kept.server,
      isConfigured: kept.absentSinceMs === null,
      override: this.#statusOf(kept),
    }));
  }

  /** @returns null = its checks decide alone */
  status(service: string, server: string): OverrideStatus | null {
    const kept = this.#book.get({ service, server });
    return kept === undefined ? null : this.#statusOf(kept);
  }

  /** Carries out what somebody wants; the kernel's table is as ordered when this resolves. */
  async order(order: OverrideOrder): Promise<Result<OverrideAnswer, ControlError>> {
    this.#noticeClock();
    const nowMs = this.#with.clock.wallMs();
    const targets = this.#targetsOf(order);
    if (!targets.ok) return refuse(targets.error);
    if (order.until?.type === "at" && order.until.atMs <= nowMs)
      return refuse(`until ${isoOf(order.until.atMs)} is over already`);
    const warnings = this.#lastServers(order, targets.value);
    const before = new Map(targets.value.map((target) => [target, this.#book.get(target)]));
    const changes = targets.value.flatMap((target) => this.#enter(order, target, nowMs));
    const reply = await this.#commit(changes);
    const servers = targets.value.map((target): OrderedServer => {
      const was = before.get(target)?.override;
      const override = this.status(target.service, target.server);
      return { ...target, before: was === undefined ? null : overrideState(was), override };
    });
    return ok({ servers, changes: reply.changes, warnings: [...warnings, ...reply.warnings] });
  }

  /** What was counted of draining servers. */
  hear(news: readonly DrainNews[]): void {
    const nowMs = this.#with.clock.wallMs();
    const drained = news.flatMap(({ service, server, count }) => {
      const kept = this.#book.get({ service, server });
      if (kept?.override.type !== "drain" || kept.override.sinceMs !== count.sinceMs) return [];
      this.#counts.set(keyOf(kept), count);
      const override = stepDrain(kept.override, { type: "counted", nowMs, count });
      return override === kept.override ? [] : [this.#drained(kept, override)];
    });
    this.#end(drained);
  }

  /** Another configuration is in force: servers may have gone, or be back. */
  configured(): void {
    const nowMs = this.#with.clock.wallMs();
    const present = new Set(configuredTargets(this.#with.services()).map(keyOf));
    let isChanged = false;
    for (const kept of this.#book.all()) {
      const isPresent = present.has(keyOf(kept));
      if (isPresent === (kept.absentSinceMs === null)) continue;
      isChanged = true;
      this.#book.set({ ...kept, absentSinceMs: isPresent ? null : nowMs });
      const what = overrideState(kept.override);
      if (isPresent) this.#say("notice", `${whereOf(kept)} is configured again, and still ${what}`);
      else
        this.#say(
          "notice",
          `${whereOf(kept)} is not configured any more; that it is ${what} is remembered for a day, should it come back`,
        );
    }
    const absent = this.#book.all().filter(({ absentSinceMs }) => absentSinceMs !== null);
    absent.sort((one, other) => (one.absentSinceMs ?? 0) - (other.absentSinceMs ?? 0));
    for (const kept of absent.slice(0, Math.max(0, absent.length - MAX_ABSENT)))
      this.#forget(kept, `more than ${MAX_ABSENT} servers with overrides are not configured`);
    if (isChanged) this.#book.save();
    this.#arm();
  }

  #targetsOf({ type, service, server }: OverrideOrder): Result<readonly Target[], string> {
    const configured = configuredTargets(this.#with.services());
    if (type !== "enable") {
      if (server === ALL) return err(`${ALL} as a server goes with enable alone; name the servers to ${type}`);
      return findTargets(configured, service, server);
    }
    // What is kept of servers that are not configured can be taken off as well.
    const overridden = this.#book.all().map((kept) => ({ service: kept.service, server: kept.server }));
    if (server === ALL) {
      const found = findTargets(overridden, service, server);
      if (found.ok) return found;
    }
    const known = new Set(configured.map(keyOf));
    return findTargets([...configured, ...overridden.filter((one) => !known.has(keyOf(one)))], service, server);
  }

  /** Enters an order for one server. @returns what the checker is to know; nothing if nothing changed */
  #enter(order: OverrideOrder, target: Target, nowMs: number): readonly OverrideChange[] {
    const kept = this.#book.get(target);
    if (order.type === "enable") {
      if (kept === undefined) return [];
      const cause = `enabled by ${order.by}${order.reason === null ? "" : ` (${order.reason})`}`;
      return [this.#forget(kept, cause)];
    }
    const override = supersede(kept?.override ?? null, overrideOf(order, nowMs));
    this.#book.set({ ...target, override, isUntilLength: order.until?.type === "for", absentSinceMs: null });
    this.#fresh.add(keyOf(target));
    this.#counts.delete(keyOf(target));
    const from = kept === undefined ? null : overrideState(kept.override);
    this.#tell("notice", target, from, overrideState(override), describeOrder(override));
    return [{ ...target, override }];
  }

  /** Warns of an order that leaves a service without a server. */
  #lastServers(order: OverrideOrder, targets: readonly Target[]): string[] {
    if (order.type === "enable" || (order.type === "weight" && order.weight !== 0)) return [];
    const services = [...new Set(targets.map(({ service }) => service))];
    return services.flatMap((service) => {
      const taken = new Set(targets.filter((target) => target.service === service).map(({ server }) => server));
      const isLeft = this.#with
        .serversOf(service)
        .some(({ server, present, weight }) => !taken.has(server) && present && weight > 0);
      if (isLeft) return [];
      const message = `service ${service}: no server is left that takes new connections`;
      this.#say("warning", message);
      return [message];
    });
  }

  /** Saves, sets the next alarm and has the checker process act. */
  async #commit(changes: readonly OverrideChange[]): Promise<OverrideReply> {
    if (changes.length === 0) return { changes: [], warnings: [] };
    const problem = this.#book.save();
    this.#arm();
    const outcome = await this.#with.apply(changes);
    const reply: OverrideReply = outcome.ok
      ? (outcome.value as OverrideReply)
      : {
          changes: [],
          warnings: [`${outcome.message}; the order stands, and is carried out when that process is back`],
        };
    return problem === null ? reply : { ...reply, warnings: [problem, ...reply.warnings] };
  }

  /** What ended or changed by itself. */
  #end(changes: readonly OverrideChange[]): void {
    if (changes.length === 0) return;
    void this.#commit(changes).then(({ warnings }) => {
      for (const warning of warnings) this.#say("warning", `overrides: ${warning}`);
    });
  }

  #look(): void {
    this.#noticeClock();
    this.#end(this.#dueChanges());
    this.#arm();
  }

  #dueChanges(): readonly OverrideChange[] {
    const nowMs = this.#with.clock.wallMs();
    return this.#book.all().flatMap((kept): readonly OverrideChange[] => {
      const { override, absentSinceMs } = kept;
      if (isExpired(override, nowMs))
        return [this.#forget(kept, `its time was over at ${isoOf(override.untilMs ?? 0)}`)];
      if (absentSinceMs !== null && nowMs >= absentSinceMs + ABSENT_KEPT_MS)
        return [this.#forget(kept, "its server has not been configured for a day")];
      if (override.type !== "drain") return [];
      const lastActive = this.#counts.get(keyOf(kept))?.active ?? 0;
      const stepped = stepDrain(override, { type: "tick", nowMs, lastActive });
      return stepped === override ? [] : [this.#drained(kept, stepped)];
    });
  }

  #drained(kept: KeptOverride, override: Override): OverrideChange {
    this.#book.set({ ...kept, override });
    this.#counts.delete(keyOf(kept));
    const cut = override.type === "drain" ? (override.drained?.cut ?? 0) : 0;
    const { service, server } = kept;
    if (cut > 0)
      this.#tell("warning", kept, "draining", "drained", `the deadline has come, and cut ${countConnections(cut)}`);
    else this.#tell("notice", kept, "draining", "drained", "no connection is left");
    return { service, server, override };
  }

  #forget(kept: KeptOverride, cause: string): OverrideChange {
    this.#book.delete(kept);
    this.#fresh.delete(keyOf(kept));
    this.#counts.delete(keyOf(kept));
    this.#tell("notice", kept, overrideState(kept.override), null, cause);
    return { service: kept.service, server: kept.server, override: null };
  }

  /** A clock that was set moves what was ordered since the start as a length of time, so that it keeps its length. */
  #noticeClock(): void {
    const offsetMs = this.#readOffsetMs();
    const byMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    if (Math.abs(byMs) < CLOCK_STEP_MS) return;
    const moved = this.#book
      .all()
      .filter((kept) => this.#fresh.has(keyOf(kept)))
      .map((kept) => ({ ...kept, override: moveWithClock(kept.override, byMs, kept.isUntilLength) }));
    if (moved.length === 0) return;
    const step = formatDurationUs(Math.abs(byMs) * MICROSECONDS_PER_MILLISECOND);
    this.#say("notice", `the clock was set ${step} ${byMs > 0 ? "ahead" : "back"}; overrides keep their lengths`);
    for (const kept of moved) this.#book.set(kept);
    this.#end(moved.map(({ service, server, override }) => ({ service, server, override })));
  }

  #readOffsetMs(): number {
    const { clock } = this.#with;
    return clock.wallMs() - clock.nowUs() / MICROSECONDS_PER_MILLISECOND;
  }

  #arm(): void {
    const all = this.#book.all();
    if (all.length === 0) {
      this.#alarm.disarm();
      return;
    }
    const { clock } = this.#with;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { override, absentSinceMs } of all) {
      const forgottenMs = absentSinceMs === null ? Number.POSITIVE_INFINITY : absentSinceMs + ABSENT_KEPT_MS;
      dueMs = Math.min(dueMs, overrideDueMs(override) ?? Number.POSITIVE_INFINITY, forgottenMs);
    }
    const waitUs = Math.max(0, (dueMs - clock.wallMs()) * MICROSECONDS_PER_MILLISECOND);
    this.#alarm.arm(clock.nowUs() + Math.min(waitUs, LOOK_EVERY_US));
  }

  #statusOf(kept: KeptOverride): OverrideStatus {
    return overrideStatus(kept.override, this.#counts.get(keyOf(kept))?.active ?? null);
  }

  #tell(level: LogLevel, target: Target, from: string | null, to: string | null, cause: string): void {
    const subject = whereOf(target);
    const message = `${subject}: ${from ?? "no override"} -> ${to ?? "no override"}: ${cause}`;
    const event = { type: "override", subject, from, to, cause } as const;
    this.#with.logger.log({ level, source: "supervisor", message, event });
  }

  #say(level: LogLevel, message: string): void {
    this.#with.logger.log({ level, source: "supervisor", message });
  }
}

function keyOf({ service, server }: Target): string {
  return `${service} ${server}`;
}

function whereOf({ service, server }: Target): string {
  return `service ${service} server ${server}`;
}

function countOverrides(count: number): string {
  return `${count} override${count === 1 ? "" : "s"}`;
}

function refuse(message: string): Result<never, ControlError> {
  return err({ code: "CONTROL_REFUSED", message });
}
