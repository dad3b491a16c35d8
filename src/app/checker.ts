import type { DirectorError } from "../base/director-error.ts";
import { formatDurationUs } from "../base/duration.ts";
import { ok, orThrow, type Result } from "../base/result.ts";
import type { CheckerFactory } from "../checks/checker-factory.ts";
import type { IpvsConfig, ServiceConfig } from "../config/model.ts";
import type { DriftStatus, KernelStatus } from "../control/status.ts";
import type { DrainCount } from "../health/overrides.ts";
import { type Decision, isSameDecision } from "../health/weights.ts";
import { describeChange, type IpvsChange, summarizeChanges } from "../ipvs/changes.ts";
import { DesiredTable, decisionKey, servicesByKey } from "../ipvs/desired.ts";
import type { IpvsTable } from "../ipvs/model.ts";
import { servingServers } from "../ipvs/serving.ts";
import type { PlanGroup } from "../plan/model.ts";
import { planServices, type ServicesNow } from "../plan/services.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { LogEntry, Logger } from "../ports/logger.ts";
import type { TrackFact } from "../vrrp/track.ts";
import { CheckRunner, type CheckRunnerEvent } from "./check-runner.ts";
import { CheckerOverrides } from "./checker-overrides.ts";
import { DriftKeeper } from "./drift-keeper.ts";
import { describeRemaining, objectOf, troubleOf } from "./ipvs-remaining.ts";
import type { IpvsReport, IpvsTableKeeper } from "./ipvs-table.ts";
import { KernelTrouble } from "./kernel-trouble.ts";
import {
  type CheckedServer,
  type CheckerPlanRequest,
  type CheckerProcessConfig,
  type CheckerReply,
  type DrainNews,
  drainKey,
  type OverrideChange,
  type OverrideReply,
} from "./messages.ts";
import { ServerNews } from "./server-news.ts";
import type { SysctlReport } from "./sysctl-needs.ts";
import { SysctlWatch } from "./sysctl-watch.ts";
import { TrackScripts, type TrackScriptsCollaborators } from "./track-scripts.ts";
import { TrackedServices } from "./tracked-services.ts";
import { VerdictLog } from "./verdict-log.ts";

/**
 * The first change of the table is made at once. When they follow each other, the next one waits as long as the last one
 * took, and this much at least: a mass failure becomes a few changes of many servers, and checks get half of the time.
 */
const MIN_APPLY_GAP_US = 10_000;

export interface CheckerCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly random: () => number;
  readonly createFactory: () => CheckerFactory;
  /** Opens the kernel's table, when there is a first service. @throws DirectorError when the kernel has no IPVS */
  openTable(stateDir: string): IpvsTableKeeper;
  /** Looks at the kernel's table where this process has none open. Loads nothing. */
  readServices(stateDir: string): Result<ServicesNow, DirectorError>;
  /** Whether services of an earlier run may still be in the kernel. */
  ownsServices(stateDir: string): boolean;
  /** Looks at the sysctls that the services need, and sets them if told to. */
  applySysctls(services: readonly ServiceConfig[], manage: boolean): SysctlReport;
  /** The same for what a server needs whose weight became 0, as log entries. @param services those of such servers */
  applyQuiescingSysctls(services: readonly ServiceConfig[], manage: boolean): readonly LogEntry[];
  createTrackChecker: TrackScriptsCollaborators["createChecker"];
  publish(key: string, state: CheckedServer | null): void;
  publishDrift(key: string, state: DriftStatus | null): void;
  publishKernel(key: string, state: KernelStatus | null): void;
  /** Tells what became of something that an instance tracks. */
  publishFact(key: string, fact: TrackFact | null): void;
  /** Tells what connections a draining server has. */
  publishDrain(key: string, news: DrainNews): void;
}

/** Runs the checks and keeps the kernel's table equal to what they say. The only writer of that table. */
export class Checker {
  readonly #with: CheckerCollaborators;
  readonly #runner: CheckRunner;
  readonly #trackScripts: TrackScripts;
  readonly #overrides: CheckerOverrides;
  readonly #drift: DriftKeeper;
  readonly #trouble: KernelTrouble;
  readonly #sysctls: SysctlWatch;
  readonly #news: ServerNews;
  readonly #verdicts: VerdictLog;
  readonly #tracked: TrackedServices;
  #config: CheckerProcessConfig | null = null;
  /** The configured services by their keys in the kernel's table. */
  #services: ReadonlyMap<string, ServiceConfig> = new Map();
  #table: IpvsTableKeeper | null = null;
  /** The servers' decisions, overrides included, by decisionKey; bounded by the configuration. */
  readonly #decisions = new Map<string, Decision>();
  readonly #desiredTable = new DesiredTable();
  readonly #apply: Alarm;
  #isApplyScheduled = false;
  /** No change of the table by verdicts before. */
  #nextApplyUs = 0;

  constructor(collaborators: CheckerCollaborators) {
    this.#with = collaborators;
    const { clock, alarms, random, createFactory } = collaborators;
    this.#verdicts = new VerdictLog(collaborators.logger);
    this.#runner = new CheckRunner({ clock, alarms, random, createFactory, onEvent: (event) => this.#onEvent(event) });
    this.#trackScripts = new TrackScripts({
      clock,
      alarms,
      random,
      logger: collaborators.logger,
      createChecker: (instance, check) => collaborators.createTrackChecker(instance, check),
      publish: (key, fact) => collaborators.publishFact(key, fact),
    });
    this.#overrides = new CheckerOverrides({
      clock,
      alarms,
      read: (service) => {
        const read = this.#table?.readDestinations(service);
        return read?.ok === true ? read.value : null;
      },
      decisionOf: (key) => this.#decisions.get(key),
      onCount: (service, server, count) => this.#onDrainCount(service, server, count),
    });
    this.#apply = alarms.create(() => this.#applyNow());
    this.#drift = new DriftKeeper({
      clock,
      alarms,
      random,
      logger: collaborators.logger,
      repair: () => this.#repair(),
      retry: () => void this.#applyNow(),
      inspect: () => this.#inspect(),
      nameOf: (service) => this.#nameOf(service),
      publish: collaborators.publishDrift,
    });
    this.#trouble = new KernelTrouble({
      clock,
      logger: collaborators.logger,
      nameOf: (service) => this.#nameOf(service),
      publish: collaborators.publishKernel,
    });
    this.#sysctls = new SysctlWatch({
      clock,
      alarms,
      apply: collaborators.applySysctls,
      onSeen: (report, isAsked) => this.#trouble.sysctlsSeen(report, isAsked),
    });
    this.#news = new ServerNews({
      clock,
      alarms,
      runner: this.#runner,
      rule: (service, server, found) =>
        this.#trouble.inKernel(`${service} ${server}`, this.#overrides.rule(service, server, found)),
      publish: (key, state) => collaborators.publish(key, state),
    });
    this.#tracked = new TrackedServices({
      decisionOf: (key) => {
        const decision = this.#decisions.get(key);
        return decision === undefined ? undefined : this.#trouble.inKernel(key, decision);
      },
      publish: (key, fact) => collaborators.publishFact(key, fact),
    });
  }

  /**
   * Takes a configuration: checks that did not change go on, the table is made equal to what is known and read back.
   * @throws DirectorError when the kernel has no IPVS or does not let us
   */
  configure(config: CheckerProcessConfig): CheckerReply {
    if (this.#table === null && (config.services.length > 0 || this.#with.ownsServices(config.stateDir)))
      this.#table = this.#with.openTable(config.stateDir);
    this.#sysctls.configure(config.services, config.ipvs);
    this.#tracked.configure(config.services, config.track.services);
    this.#config = config;
    this.#services = servicesByKey(config.services);
    const overruled = this.#overrides.configure(config.services, config.overrides ?? []);
    const serving = this.#runner.hasNews(config.services) ? this.#servingNow(config.services) : new Set<string>();
    this.#verdicts.together(() =>
      this.#runner.reconfigure(
        { services: config.services, maxConcurrentScripts: config.scripts.maxConcurrent },
        (service, server) => serving.has(decisionKey(service.name, server)),
      ),
    );
    for (const { service, server } of overruled) this.#redecide(service, server);
    const reply = this.reconcile();
    this.#drift.configure(config.ipvs);
    this.#news.begin();
    this.#trackScripts.reconfigure(config.track.scripts, config.scripts.maxConcurrent);
    this.#tracked.tell();
    return reply;
  }

  /**
   * What taking these services would change in the kernel's table, without doing it.
   * @throws DirectorError when the table cannot be read
   */
  plan({ services, stateDir }: CheckerPlanRequest): readonly PlanGroup[] {
    const now =
      this.#table === null
        ? orThrow(this.#with.readServices(stateDir))
        : { observed: orThrow(this.#table.read()), owned: this.#table.owned };
    const serving = servingServers(services, now.observed.services, (key) => this.#overrides.isEnding(key));
    const decisions = new Map<string, Decision>(); // bounded by the configuration
    const predicted = this.#runner.predict(services, (service, server) =>
      serving.has(decisionKey(service.name, server)),
    );
    for (const { service, server, decision } of predicted)
      decisions.set(`${service} ${server}`, this.#overrides.rule(service, server, decision));
    return planServices(services, decisions, now);
  }

  /** Reads the kernel's table and repairs what differs. */
  reconcile(): CheckerReply {
    if (this.#table === null) return { changes: [], remaining: [] };
    const report = this.#table.reconcile(this.#desired());
    this.#report(report);
    return { changes: this.#describe(report.changes), remaining: describeRemaining(report) };
  }

  /** Takes what became of some overrides: the table is as they say when this returns. */
  override(changes: readonly OverrideChange[]): OverrideReply {
    this.#overrides.take(changes);
    // The first configuration brings all of them along.
    if (this.#config === null) return { changes: [], warnings: [] };
    for (const { service, server } of changes) this.#redecide(service, server);
    const report = this.#applyNow();
    const refused = report === null ? [] : troubleOf(report, (service) => this.#nameOf(service)).reasons;
    const ending = new Set(
      changes.flatMap(({ service, server }) => (this.#overrides.isEnding(`${service} ${server}`) ? [service] : [])),
    );
    const { services, ipvs } = this.#config;
    const sysctls = this.#with.applyQuiescingSysctls(
      services.filter(({ name }) => ending.has(name)),
      ipvs.manageSysctls,
    );
    for (const entry of sysctls) this.#with.logger.log(entry);
    const warnings = sysctls.filter(({ level }) => level === "warning").map(({ message }) => message);
    return { changes: this.#describe(report?.changes ?? []), warnings: [...refused, ...warnings] };
  }

  /** Ends: no more checks, and holdfast's own services leave the kernel unless they are to be kept. */
  stop(): void {
    this.#runner.stop();
    this.#trackScripts.stop();
    this.#overrides.stop();
    this.#drift.stop();
    this.#trouble.stop();
    this.#sysctls.stop();
    this.#news.stop();
    this.#apply.disarm();
    const table = this.#table;
    // What is still scheduled finds nothing to change.
    this.#table = null;
    if (table === null) return;
    if (this.#config?.ipvs.onStop === "keep")
      this.#say("notice", "stopped; the IPVS services stay in the kernel (ipvs.onStop: keep)");
    else this.#report(table.removeOwned());
    table.close();
  }

  /** What becomes of what holdfast put into the kernel when it stops. */
  get onStop(): IpvsConfig["onStop"] {
    return this.#config?.ipvs.onStop ?? "remove";
  }

  #desired(): IpvsTable {
    return this.#desiredTable.build(this.#config?.services ?? [], this.#decisions);
  }

  /** The servers that the kernel sends connections to now: clients depend on them, so they start as up. */
  #servingNow(services: readonly ServiceConfig[]): ReadonlySet<string> {
    const read = this.#table?.read();
    if (read === undefined) return new Set();
    if (read.ok) return servingServers(services, read.value.services, (key) => this.#overrides.isEnding(key));
    this.#say("warning", `the kernel's table could not be read at start: ${read.error.message}`);
    return new Set();
  }

  #onEvent(event: CheckRunnerEvent): void {
    const where = `service ${event.service}: server ${event.server}`;
    if (event.type === "notRun") {
      this.#say("warning", `${where}: check ${event.check} was not run: ${event.detail}`);
      return;
    }
    if (event.type === "check") {
      const held =
        event.from === "unknown"
          ? ""
          : ` (was ${event.from} for ${formatDurationUs(Math.round(event.afterUs / 100_000) * 100_000)})`;
      this.#say("info", `${where}: check ${event.check} ${event.from} -> ${event.to}: ${event.reason}${held}`);
      return;
    }
    this.#onDecision(event.service, event.server, event.to);
  }

  /** An override came, went or changed. */
  #redecide(service: string, server: string): void {
    const snapshot = this.#runner.snapshotServer(service, server);
    if (snapshot !== undefined) this.#onDecision(service, server, snapshot.decision);
  }

  #onDrainCount(service: string, server: string, count: DrainCount): void {
    this.#with.publishDrain(drainKey(service, server), { service, server, count });
    this.#news.tellNow(service, server);
  }

  /** @param found what the checks say; null = no longer configured */
  #onDecision(service: string, server: string, found: Decision | null): void {
    const key = `${service} ${server}`;
    const from = this.#decisions.get(key) ?? null;
    const to = found === null ? null : this.#overrides.rule(service, server, found);
    if (from !== null && to !== null && isSameDecision(from, to)) {
      if (from.why === to.why) return;
      this.#decisions.set(key, to);
      this.#news.changed(service, server);
      this.#scheduleApply();
      return;
    }
    this.#desiredTable.touch(service);
    this.#tracked.changed(service);
    if (to === null) {
      this.#decisions.delete(key);
      this.#news.gone(service, server);
    } else {
      this.#decisions.set(key, to);
      this.#news.changed(service, server);
      if (from !== null || to.verdict !== "unknown") this.#verdicts.tell({ service, server, from, to });
    }
    this.#scheduleApply();
  }

  /** All verdicts of one turn of the event loop become one change of the table, and so do those that follow closely. */
  #scheduleApply(): void {
    if (this.#isApplyScheduled) return;
    this.#isApplyScheduled = true;
    if (this.#with.clock.nowUs() < this.#nextApplyUs) this.#apply.arm(this.#nextApplyUs);
    else setImmediate(() => this.#applyNow());
  }

  /** @returns what came of it; null = there is no table to change */
  #applyNow(): IpvsReport | null {
    this.#isApplyScheduled = false;
    let report: IpvsReport | null = null;
    const startUs = this.#with.clock.nowUs();
    this.#news.tell();
    this.#tracked.tell();
    if (this.#table !== null) {
      report = this.#table.applyDesired(this.#desired(), this.#config?.ipvs.drift !== "repair");
      this.#report(report);
    }
    const endUs = this.#with.clock.nowUs();
    this.#nextApplyUs = endUs + Math.max(endUs - startUs, MIN_APPLY_GAP_US);
    return report;
  }

  /** Verdicts that wait for their turn come first: they are nobody else's doing. */
  #repair(): IpvsReport | null {
    if (this.#isApplyScheduled) this.#applyNow();
    if (this.#table === null) return null;
    this.#sysctls.look();
    const report = this.#table.reconcile(this.#desired());
    this.#report({ ...report, changes: [] });
    return report;
  }

  /** What somebody else made of the table: what the kernel refused is nobody's doing. */
  #inspect(): Result<readonly IpvsChange[], DirectorError> | null {
    const refused = new Set(this.#applyNow()?.remaining.map(objectOf));
    const read = this.#table?.inspect(this.#desired()) ?? null;
    if (read === null || !read.ok || refused.size === 0) return read;
    return ok(read.value.filter(({ service, server }) => !refused.has(`${service} ${server ?? ""}`)));
  }

  #nameOf(service: string): string | null {
    return this.#services.get(service)?.name ?? null;
  }

  #describe(changes: readonly IpvsChange[]): readonly string[] {
    return changes.map((change) => describeChange(change, this.#nameOf(change.service)));
  }

  /** Logs what a change of the table came to. */
  #report(report: IpvsReport): void {
    for (const line of summarizeChanges(report.changes, (service) => this.#nameOf(service)))
      this.#say("info", `ipvs: ${line}`);
    for (const key of report.adopted)
      this.#say(
        "notice",
        `ipvs: service ${this.#nameOf(key)} (${key}) was in the kernel already; it is configured here, so holdfast keeps it from now on`,
      );
    const news = this.#trouble.tableChanged(report, this.#config?.services ?? []);
    for (const { service, server } of news) {
      this.#news.tellNow(service, server);
      this.#tracked.changed(service);
    }
    this.#tracked.tell();
    this.#drift.changed(report);
  }

  #say(level: LogEntry["level"], message: string): void {
    this.#with.logger.log({ level, source: "checker", message });
  }
}
