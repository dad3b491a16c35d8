import { DirectorError, ERROR_CATALOGUE, type ErrorCode, messageOf } from "../base/director-error.ts";
import { EXIT, type ExitCode, exitCodeFor } from "../base/exit-codes.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ConfigTexts } from "../config/config-texts.ts";
import type { InstanceKeys } from "../config/keys.ts";
import type { DirectorConfig, ScheduleAction } from "../config/model.ts";
import type { OverrideAnswer, OverrideOrder } from "../control/overrides.ts";
import { ControlServer } from "../control/server.ts";
import type { ConfigStatus, ControlError, DirectorStatus, HandoverAnswer, ReloadReport } from "../control/status.ts";
import type { FactEntry, ReplyOutcome, StateEntry } from "../ipc/messages.ts";
import { SYNC_LINGER_US } from "../ipvs/sync.ts";
import { WinstonLogger, type WinstonLoggerOptions } from "../log/winston-logger.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { systemClock, TimeoutAlarms } from "../sys/clock.ts";
import { handoverBoundUs } from "../vrrp/handover.ts";
import { Calendar, type RunOutcome } from "./calendar.ts";
import { ChildKeeper } from "./child-keeper.ts";
import { directorStatus, type KnownStatus } from "./director-status.ts";
import { Drills } from "./drills.ts";
import { daemonEvent, processEvent } from "./event-facts.ts";
import { EventJournal, type LineStore } from "./event-journal.ts";
import { takeOffLeftovers } from "./leftovers.ts";
import {
  type CheckerFact,
  type CheckerNews,
  type CheckerProcessConfig,
  type CheckerReply,
  type CheckerTrackConfig,
  type HandoverReply,
  isCheckerState,
  isDrainNews,
  isTrackFact,
  isTraffic,
  type VrrpFact,
  type VrrpProcessConfig,
  type VrrpReply,
  type VrrpState,
} from "./messages.ts";
import { Metrics } from "./metrics.ts";
import { OverrideDesk } from "./override-desk.ts";
import { Planner } from "./planner.ts";
import { type ApplyOutcome, type LoadedConfig, Reloader } from "./reloader.ts";
import { doScheduled } from "./scheduled-work.ts";
import type { StateStore } from "./state-store.ts";
import { StatusBoard } from "./status-board.ts";
import type { TrialBook } from "./trial-book.ts";
import { Trials } from "./trials.ts";
import { WarmUp } from "./warm-up.ts";

/** How long a child may take to apply a configuration: loading ten thousand servers on a slow machine is the longest. */
const REPLY_TIMEOUT_MS = 60_000;

/**
 * A child that does not stop by then is killed. Removing ten thousand servers on a slow machine is the longest, and then the
 * last connections are told to the other director.
 */
const STOP_DEADLINE_MS = 10_000 + SYNC_LINGER_US / 1000;

/**
 * As above for the vrrp process, on top of what a handover may take; the addresses of one that hangs are taken off by
 * another.
 */
const VRRP_STOP_DEADLINE_MS = 5_000;

/** How often children are asked whether they answer. */
const ASK_EVERY_MS = 1_000;

/**
 * A frozen vrrp process holds its addresses while a peer serves: after 8 s it is killed, and the next one lets go. The checker is
 * given two minutes: it may work on a large configuration, and the kernel forwards without it.
 */
const FROZEN_AFTER = { vrrp: 8, checker: 120 } as const;

/** The last announcement for the successor, and room for a slow machine. */
const FAREWELL_MS = 2_000;

/** What a slow disk is given at the end. */
const EVENTS_CLOSE_MS = 2_000;

export interface SupervisorOptions {
  readonly file: string;
  readonly runDir: string;
  readonly controlSocket: string;
  readonly controlGroupId: number | null;
  readonly stateDir: string;
  /** The program that the children run, with a role argument. */
  readonly program: string;
  readonly version: string;
  /** Why the configuration is not the one of the files; null = it is. */
  readonly wentBack: string | null;
  /** Put syslog priorities in front of lines: when journald reads them. */
  readonly syslogPrefix: boolean;
}

export interface SupervisorCollaborators {
  /** Reads and validates the configuration file anew; problems come as one text. */
  load(): Result<LoadedConfig, string>;
  /** A configuration as it was kept, validated anew. */
  loadKept(texts: ConfigTexts): Result<LoadedConfig, string>;
  /** Whether the files have this text now. */
  isOnDisk(texts: ConfigTexts): boolean;
  /** What a reload changes, one line each. */
  diff(before: DirectorConfig, after: DirectorConfig): readonly string[];
  /** Tells the service manager (sd_notify), one `NAME=value` an argument; a no-op without one. */
  notify(...lines: readonly string[]): void;
  /** Where events are kept. */
  readonly eventStore: LineStore;
  /** Where overrides are kept. */
  readonly overrideStore: StateStore;
  /** What a reload that is to be confirmed goes back to; read already. */
  readonly trialBook: TrialBook;
  /** Where the runs to come are kept. */
  readonly scheduleStore: StateStore;
}

/** Reads the configuration, keeps the children running, serves the control API. Holds no protocol state. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #collaborators: SupervisorCollaborators;
  readonly #winston: WinstonLogger;
  readonly #events: EventJournal;
  /** Reaches both. */
  readonly #logger: Logger;
  readonly #board = new StatusBoard();
  readonly #calendar: Calendar;
  readonly #vrrp: ChildKeeper<VrrpProcessConfig, VrrpState, VrrpFact>;
  readonly #checker: ChildKeeper<CheckerProcessConfig, CheckerNews, CheckerFact>;
  readonly #trials: Trials;
  readonly #reloader: Reloader;
  readonly #overrides: OverrideDesk;
  readonly #metrics: Metrics;
  readonly #drills: Drills;
  readonly #warmUp: WarmUp;
  readonly #startedAt = new Date();
  #config: DirectorConfig;
  /** For the vrrp process alone. */
  #keys: InstanceKeys;
  /** What the configuration was read from. */
  #texts: ConfigTexts;
  #loadedAt = new Date();
  #control: ControlServer | null = null;
  #configured = new Set<string>();
  /** What the present vrrp process could not do; bounded by what it tries. */
  #vrrpProblems: readonly string[] = [];
  #finish: (code: ExitCode) => void = () => undefined;
  #stopping = false;

  constructor(options: SupervisorOptions, loaded: LoadedConfig, collaborators: SupervisorCollaborators) {
    this.#options = options;
    this.#collaborators = collaborators;
    this.#config = loaded.config;
    this.#keys = loaded.keys;
    this.#texts = loaded.texts;
    this.#winston = new WinstonLogger(this.#loggerOptions());
    this.#events = new EventJournal({
      store: collaborators.eventStore,
      wallMs: () => Date.now(),
      say: (level, message) => this.#winston.log({ level, source: "supervisor", message }),
    });
    const journalled = this.#events.tee(this.#winston);
    this.#metrics = new Metrics({
      logger: journalled,
      board: this.#board,
      children: () => [this.#vrrp, this.#checker],
      status: () => this.status(),
    });
    this.#logger = this.#metrics.tee(journalled);
    this.#calendar = new Calendar({
      store: collaborators.scheduleStore,
      logger: this.#logger,
      wallMs: () => Date.now(),
      act: (name, action) => this.#scheduled(name, action),
    });
    this.#warmUp = new WarmUp(
      { instances: this.#config.instances, hasServices: this.#config.services.length > 0 },
      {
        instances: () => this.#board.instances(this.#config),
        isTableKnown: () => this.#board.isTableKnown(this.#config),
        wake: (instance) => void this.#vrrp.command("wake", instance),
        say: (message) => this.#say("info", message),
      },
    );
    this.#vrrp = new ChildKeeper(
      { ...this.#childOptions("vrrp"), stopDeadlineMs: VRRP_STOP_DEADLINE_MS },
      this.#vrrpConfig(),
      {
        onState: (entries) => {
          this.#board.updateInstances(entries);
          this.#checker.tell(entries.map(phaseFact));
          this.#drills.standingChanged();
          this.#warmUp.look();
        },
        onConfigured: (outcome, restarts) => this.#childConfigured("vrrp", outcome, restarts),
        onGone: () => {
          this.#checker.tell(this.#board.forgetInstances().map((key) => [key, null]));
          this.#vrrpProblems = [];
          this.#drills.abort("the vrrp process ended");
          this.#vrrp.prepare(this.#vrrpConfig());
        },
      },
      this.#logger,
    );
    this.#drills = new Drills(
      { stateDir: options.stateDir, program: options.program },
      {
        clock: systemClock,
        alarms: new TimeoutAlarms(),
        logger: this.#logger,
        config: () => this.#config,
        instances: () => this.#board.instances(this.#config),
        problems: () => (this.#stopping ? ["it is stopping"] : this.status().problems),
        command: (name, argument) => this.#vrrp.command(name, argument, this.#handoverBoundMs() + REPLY_TIMEOUT_MS),
      },
    );
    this.#overrides = new OverrideDesk({
      clock: systemClock,
      alarms: new TimeoutAlarms(),
      logger: this.#logger,
      store: collaborators.overrideStore,
      services: () => this.#config.services,
      serversOf: (name) => {
        const service = this.#config.services.find((one) => one.name === name);
        return service === undefined ? [] : this.#board.servers(service);
      },
      apply: (changes) => {
        this.#checker.prepare(this.#checkerConfig());
        return this.#checker.command("override", changes);
      },
    });
    this.#checker = new ChildKeeper(
      { ...this.#childOptions("checker"), stopDeadlineMs: STOP_DEADLINE_MS },
      this.#checkerConfig(),
      {
        onState: (entries) => {
          this.#board.updateServers(entries.filter(isCheckerState));
          this.#board.updateTraffic(entries.filter(isTraffic));
          this.#overrides.hear(entries.filter(isDrainNews).flatMap(([, news]) => news ?? []));
          // Without a checker, what the last one found out stands.
          this.#vrrp.tell(entries.filter(isTrackFact));
          this.#warmUp.look();
        },
        onConfigured: (outcome, restarts) => this.#childConfigured("checker", outcome, restarts),
        // The kernel goes on forwarding by the last table; what was known about the servers still describes it.
        onGone: () => undefined,
      },
      this.#logger,
    );
    const planner = new Planner(
      { stateDir: options.stateDir },
      {
        askChecker: (request, withinMs) => this.#checker.command("plan", request, withinMs),
        phases: () => new Map(this.#board.instances(this.#config).map(({ name, phase }) => [name, phase])),
        present: () => this.#config,
      },
    );
    this.#trials = new Trials({
      book: collaborators.trialBook,
      clock: systemClock,
      alarms: new TimeoutAlarms(),
      logger: this.#logger,
      onOver: (cause) => void this.#reloader.undo(cause),
    });
    this.#reloader = new Reloader(
      { file: options.file },
      {
        logger: this.#logger,
        load: () => this.#collaborators.load(),
        loadKept: (texts) => this.#collaborators.loadKept(texts),
        isOnDisk: (texts) => this.#collaborators.isOnDisk(texts),
        trials: this.#trials,
        present: () => ({ config: this.#config, keys: this.#keys, texts: this.#texts }),
        isStopping: () => this.#stopping,
        plan: (next, configuration, withinMs) => planner.plan(next, configuration, withinMs),
        apply: (next) => this.#apply(next),
        diff: (before, after) => this.#collaborators.diff(before, after),
        onBegin: () => this.#collaborators.notify("RELOADING=1"),
        onEnd: () => this.#notifyReady(),
      },
    );
    for (const warning of loaded.warnings) this.#say("warning", warning);
  }

  /** Runs until stopped; resolves with the exit code. */
  async run(): Promise<ExitCode> {
    const finished = new Promise<ExitCode>((resolve) => {
      this.#finish = resolve;
    });
    // Before anything else: a signal from here on is a stop in good order.
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void this.#stop(EXIT.OK, signal));
    process.on("SIGHUP", () => void this.reload());
    try {
      this.#control = await ControlServer.listen(
        { path: this.#options.controlSocket, groupId: this.#options.controlGroupId },
        {
          status: () => this.status(),
          plan: () => this.#reloader.plan(),
          reload: (confirmMs) => this.#reloader.reload({ confirmMs }),
          confirm: () => this.#reloader.confirm(),
          undo: () => this.#reloader.undo("as ordered"),
          handover: (instance) => this.handover(instance),
          events: this.#events,
          overrides: () => this.#overrides.list(),
          order: (order) => this.order(order),
          metrics: (accept) => this.#metrics.expose(accept),
          drills: this.#drills,
        },
      );
    } catch (thrown) {
      this.#sayError(thrown);
      return thrown instanceof DirectorError ? exitCodeFor(thrown.code, thrown.facts.errno) : EXIT.OWN_FAULT;
    }
    if (this.#stopping) {
      await this.#control.close();
      return finished;
    }
    // Not before: another daemon may write there.
    this.#events.open();
    this.#metrics.recall(this.#events);
    const { instances, services, node } = this.#config;
    this.#say(
      "notice",
      `holdfast ${this.#options.version} starts on ${node}: ${count(instances, "instance")}, ${count(services, "service")} from ${this.#options.file}`,
      daemonEvent(node, null, "running", `version ${this.#options.version} starts with ${this.#options.file}`),
    );
    this.#overrides.open();
    this.#trials.open(this.#options.wentBack);
    this.#checker.prepare(this.#checkerConfig());
    this.#checker.start();
    this.#vrrp.start();
    this.#warmUp.begin();
    await this.#metrics.configure(this.#config.metrics);
    this.#calendar.configure(this.#config.schedules);
    return finished;
  }

  /** Whether both children are looked after; what the service manager's watchdog is told. */
  isWell(): boolean {
    return this.#vrrp.isAttended() && this.#checker.isAttended();
  }

  status(): DirectorStatus {
    const known: KnownStatus = {
      program: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      config: this.#configStatus(),
      processes: [this.#vrrp.status(), this.#checker.status()],
      instances: this.#board.instances(this.#config),
      services: this.#board.services(this.#config, (service, server) => this.#overrides.status(service, server)),
      sync: this.#board.sync(this.#config),
      drift: this.#board.drift,
      schedules: this.#calendar.status(),
    };
    return directorStatus(known, this.#config, [...this.#vrrpProblems, ...this.#metrics.problems]);
  }

  reload(): Promise<Result<ReloadReport, ControlError>> {
    return this.#reloader.reload();
  }

  #configStatus(): ConfigStatus {
    return {
      file: this.#options.file,
      loadedAt: this.#loadedAt.toISOString(),
      confirmBy: this.#trials.confirmBy,
      isReverted: this.#trials.rejected !== null,
    };
  }

  /** Hands a configuration that was validated to everybody. */
  async #apply({ config, keys, texts }: LoadedConfig): Promise<ApplyOutcome> {
    this.#config = config;
    this.#keys = keys;
    this.#texts = texts;
    this.#loadedAt = new Date();
    this.#winston.reconfigure(this.#loggerOptions());
    this.#calendar.configure(config.schedules);
    this.#overrides.configured();
    const [checker, vrrp] = await Promise.all([
      this.#checker.configure(this.#checkerConfig()),
      this.#vrrp.configure(this.#vrrpConfig()),
      this.#metrics.configure(config.metrics),
    ]);
    if (vrrp.ok) this.#vrrpProblems = (vrrp.value as VrrpReply).problems;
    const failed = [checker, vrrp].find((outcome) => !outcome.ok);
    if (failed !== undefined && !failed.ok) return err({ code: failed.code, message: failed.message });
    return ok(checker.ok ? (checker.value as CheckerReply) : { changes: [], remaining: [] });
  }

  #notifyReady(): void {
    const { instances, services } = this.#config;
    this.#collaborators.notify("READY=1", `STATUS=${count(instances, "instance")}, ${count(services, "service")}`);
  }

  #childConfigured(name: "vrrp" | "checker", outcome: ReplyOutcome, restarts: number): void {
    if (!outcome.ok) {
      this.#say("error", `the ${name} process cannot work: ${outcome.message}. ${remedyOf(outcome.code)}`);
      // What is missing at the first start is missing for good: say so with the exit code instead of trying for ever.
      if (restarts === 0) void this.#stop(startFailure(outcome.code), outcome.code);
      return;
    }
    if (name === "vrrp") this.#vrrpProblems = (outcome.value as VrrpReply).problems;
    this.#configured.add(name);
    if (restarts > 0)
      this.#say(
        "notice",
        `the ${name} process runs again`,
        processEvent(name, "stopped", "running", `restart ${restarts}`),
      );
    if (this.#configured.size === 2) this.#notifyReady();
  }

  /** Carries out what somebody wants of a server, over what its checks say. */
  async order(order: OverrideOrder): Promise<Result<OverrideAnswer, ControlError>> {
    if (this.#stopping) return err({ code: "CONTROL_REFUSED", message: "the director is stopping" });
    return this.#overrides.order(order);
  }

  /** Lets a peer serve an instance, and every other of its group. */
  async handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    if (this.#stopping) return err({ code: "CONTROL_REFUSED", message: "the director is stopping" });
    const outcome = await this.#vrrp.command("handover", instance, this.#handoverBoundMs() + REPLY_TIMEOUT_MS);
    if (!outcome.ok) return err({ code: outcome.code, message: outcome.message });
    const reply = outcome.value as HandoverReply;
    const failed = reply.filter(({ successor }) => successor === null);
    if (failed.length > 0) {
      const message = failed.map(({ instance: name, reason }) => `${name}: ${reason}`).join("; ");
      return err({ code: "HANDOVER_FAILED", message });
    }
    return ok({
      moved: reply.flatMap(({ instance: name, successor, tookUs }) =>
        successor === null ? [] : [{ instance: name, successor, tookMs: Math.round(tookUs / 1000) }],
      ),
    });
  }

  /** How long the slowest resignation may take, with the farewell after it. */
  #handoverBoundMs(): number {
    const boundsUs = this.#config.instances.map(({ advertIntervalUs }) => handoverBoundUs(advertIntervalUs));
    return Math.ceil(Math.max(0, ...boundsUs) / 1000) + FAREWELL_MS;
  }

  /**
   * The address moves away first; then nobody needs the table any more. Who asks a second time does not want to wait for a
   * successor.
   */
  async #stop(code: ExitCode, why: string): Promise<void> {
    if (this.#stopping) {
      this.#say("notice", `stopping at once (${why} again)`);
      this.#vrrp.hurry();
      return;
    }
    this.#stopping = true;
    this.#collaborators.notify("STOPPING=1");
    this.#say("notice", `stopping (${why})`, daemonEvent(this.#config.node, "running", "stopping", why));
    this.#metrics.close();
    this.#calendar.stop();
    this.#drills.abort("the director stops");
    if (!(await this.#vrrp.stop(this.#handoverBoundMs() + VRRP_STOP_DEADLINE_MS)))
      await takeOffLeftovers(
        { ...this.#childOptions("vrrp"), replyTimeoutMs: VRRP_STOP_DEADLINE_MS },
        { ...this.#vrrpConfig(), instances: [], realtime: false },
        2 * VRRP_STOP_DEADLINE_MS,
        this.#logger,
      );
    await this.#checker.stop();
    this.#overrides.close();
    this.#trials.stop();
    await this.#control?.close();
    this.#say("notice", "stopped", daemonEvent(this.#config.node, "stopping", "stopped", why));
    await this.#events.close(EVENTS_CLOSE_MS);
    this.#finish(code);
  }

  #scheduled(name: string, action: ScheduleAction): Promise<RunOutcome> {
    return doScheduled(name, action, {
      reload: () => this.#reloader.reload({ confirmMs: null, isScheduled: true }),
      reconcile: () => this.#checker.command("reconcile", null),
      drill: (instance, request, askedBy) => this.#drills.run(instance, request, askedBy),
      order: (order) => this.order(order),
    });
  }

  #childOptions<Name extends "vrrp" | "checker">(name: Name) {
    return {
      name,
      program: this.#options.program,
      args: ["internal", name],
      replyTimeoutMs: REPLY_TIMEOUT_MS,
      askEveryMs: ASK_EVERY_MS,
      frozenAfter: FROZEN_AFTER[name],
    };
  }

  #vrrpConfig(): VrrpProcessConfig {
    const { instances, groups, vrrp } = this.#config;
    const resting = [...new Set([...this.#board.resting(this.#config), ...this.#warmUp.resting])];
    return { instances, groups, realtime: vrrp.realtime, runDir: this.#options.runDir, keys: this.#keys, resting };
  }

  #checkerConfig(): CheckerProcessConfig {
    const { services, ipvs, scripts, sync } = this.#config;
    const overrides = this.#overrides.standing();
    return { services, ipvs, scripts, sync, track: this.#trackConfig(), overrides, stateDir: this.#options.stateDir };
  }

  /** What of the things that instances track is for the checker to judge. */
  #trackConfig(): CheckerTrackConfig {
    const { instances } = this.#config;
    const services = instances.flatMap(({ track }) => track.services.map(({ service }) => service));
    return {
      scripts: instances.flatMap(({ name, track }) => track.scripts.map((script) => ({ instance: name, script }))),
      services: [...new Set(services)],
    };
  }

  #loggerOptions(): WinstonLoggerOptions {
    return { ...this.#config.log, node: this.#config.node, syslogPrefix: this.#options.syslogPrefix };
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    this.#logger.log({ level, source: "supervisor", message, ...(event === undefined ? {} : { event }) });
  }

  #sayError(thrown: unknown): void {
    const remedy = thrown instanceof DirectorError ? ` ${thrown.remedy}` : "";
    this.#say("error", `${messageOf(thrown)}.${remedy}`);
  }
}

/** What the checker process must know of an instance. */
function phaseFact([key, state]: StateEntry<VrrpState>): FactEntry<CheckerFact> {
  return [key, state === null ? null : { phase: state.phase }];
}

/** What the operator does next about an error that a child told. */
function remedyOf(code: string): string {
  return code in ERROR_CATALOGUE
    ? ERROR_CATALOGUE[code as ErrorCode]
    : "This is a fault of holdfast; please report it with the lines before this one.";
}

/** The exit code when a child cannot begin. One that only was too slow is tried again by the service manager. */
function startFailure(code: string): ExitCode {
  return exitCodeFor(code) === EXIT.NO_PRIVILEGE ? EXIT.NO_PRIVILEGE : EXIT.OWN_FAULT;
}

function count(list: readonly unknown[], noun: string): string {
  return `${list.length} ${noun}${list.length === 1 ? "" : "s"}`;
}
