import { DirectorError, messageOf } from "../base/director-error.ts";
import { EXIT, type ExitCode, exitCodeFor } from "../base/exit-codes.ts";
import { err, type Result } from "../base/result.ts";
import type { ConfigTexts } from "../config/config-texts.ts";
import type { DirectorConfig, ScheduleAction } from "../config/model.ts";
import type { OverrideAnswer, OverrideOrder } from "../control/overrides.ts";
import { ControlServer } from "../control/server.ts";
import type { ConfigStatus, ControlError, DirectorStatus, HandoverAnswer } from "../control/status.ts";
import type { FirstChildren } from "../ipc/started-child.ts";
import { WinstonLogger, type WinstonLoggerOptions } from "../log/winston-logger.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { systemClock, TimeoutAlarms } from "../sys/clock.ts";
import { Calendar, type RunOutcome } from "./calendar.ts";
import { Children } from "./children.ts";
import { directorStatus, type KnownStatus } from "./director-status.ts";
import { Drills } from "./drills.ts";
import { daemonEvent } from "./event-facts.ts";
import { EventJournal, type LineStore } from "./event-journal.ts";
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
  /** The children that run already. */
  readonly firstChildren: Pick<FirstChildren, "take">;
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
  readonly #children: Children;
  readonly #trials: Trials;
  readonly #reloader: Reloader;
  readonly #overrides: OverrideDesk;
  readonly #metrics: Metrics;
  readonly #drills: Drills;
  readonly #warmUp: WarmUp;
  readonly #startedAt = new Date();
  #inForce: LoadedConfig;
  #loadedAt = new Date();
  #control: ControlServer | null = null;
  #finish: (code: ExitCode) => void = () => undefined;
  #stopping = false;

  constructor(options: SupervisorOptions, loaded: LoadedConfig, collaborators: SupervisorCollaborators) {
    this.#options = options;
    this.#collaborators = collaborators;
    this.#inForce = loaded;
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
      children: () => this.#children.processes,
      status: () => this.#status(),
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
        wake: (instance) => this.#children.wake(instance),
        say: (message) => this.#say("info", message),
      },
    );
    this.#drills = new Drills(
      { stateDir: options.stateDir, program: options.program },
      {
        clock: systemClock,
        alarms: new TimeoutAlarms(),
        logger: this.#logger,
        config: () => this.#config,
        instances: () => this.#board.instances(this.#config),
        problems: () => (this.#stopping ? ["it is stopping"] : this.#status().problems),
        command: (name, argument) => this.#children.move(name, argument),
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
      apply: (changes) => this.#children.override(changes),
    });
    this.#children = new Children(
      { program: options.program, runDir: options.runDir, stateDir: options.stateDir },
      {
        first: collaborators.firstChildren,
        logger: this.#logger,
        board: this.#board,
        present: () => this.#inForce,
        resting: () => this.#warmUp.resting,
        overrides: () => this.#overrides.standing(),
        onInstances: () => {
          this.#drills.standingChanged();
          this.#warmUp.look();
        },
        onServers: (drains) => {
          this.#overrides.hear(drains);
          this.#warmUp.look();
        },
        onVrrpGone: () => this.#drills.abort("the vrrp process ended"),
        onReady: () => this.#notifyReady(),
        onHopeless: (exit, code) => void this.#stop(exit, code),
      },
    );
    const planner = new Planner(
      { stateDir: options.stateDir },
      {
        askChecker: (request, withinMs) => this.#children.plan(request, withinMs),
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
        present: () => this.#inForce,
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
    process.on("SIGHUP", () => void this.#reloader.reload());
    try {
      this.#control = await ControlServer.listen(
        { path: this.#options.controlSocket, groupId: this.#options.controlGroupId },
        {
          status: () => this.#status(),
          plan: () => this.#reloader.plan(),
          reload: (confirmMs) => this.#reloader.reload({ confirmMs }),
          confirm: () => this.#reloader.confirm(),
          undo: () => this.#reloader.undo("as ordered"),
          handover: (instance) => this.#handover(instance),
          events: this.#events,
          overrides: () => this.#overrides.list(),
          order: (order) => this.#order(order),
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
    this.#children.start();
    this.#warmUp.begin();
    await this.#metrics.configure(this.#config.metrics);
    if (!this.#stopping) this.#calendar.configure(this.#config.schedules);
    return finished;
  }

  /** What the service manager's watchdog is told. */
  isWell(): boolean {
    return this.#children.isWell();
  }

  #status(): DirectorStatus {
    const known: KnownStatus = {
      program: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      config: this.#configStatus(),
      processes: this.#children.processes.map((child) => child.status()),
      instances: this.#board.instances(this.#config),
      services: this.#board.services(this.#config, (service, server) => this.#overrides.status(service, server)),
      sync: this.#board.sync(this.#config),
      drift: this.#board.drift,
      kernel: this.#board.kernel,
      schedules: this.#calendar.status(),
    };
    return directorStatus(known, this.#config, [...this.#children.problems, ...this.#metrics.problems]);
  }

  get #config(): DirectorConfig {
    return this.#inForce.config;
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
  async #apply(loaded: LoadedConfig): Promise<ApplyOutcome> {
    const { config } = loaded;
    this.#inForce = loaded;
    this.#loadedAt = new Date();
    this.#winston.reconfigure(this.#loggerOptions());
    this.#calendar.configure(config.schedules);
    this.#overrides.configured();
    const [applied] = await Promise.all([this.#children.configure(), this.#metrics.configure(config.metrics)]);
    return applied;
  }

  #notifyReady(): void {
    const { instances, services } = this.#config;
    this.#collaborators.notify("READY=1", `STATUS=${count(instances, "instance")}, ${count(services, "service")}`);
  }

  /** Carries out what somebody wants of a server, over what its checks say. */
  async #order(order: OverrideOrder): Promise<Result<OverrideAnswer, ControlError>> {
    if (this.#stopping) return err({ code: "CONTROL_REFUSED", message: "the director is stopping" });
    return this.#overrides.order(order);
  }

  /** Lets a peer serve an instance, and every other of its group. */
  async #handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    if (this.#stopping) return err({ code: "CONTROL_REFUSED", message: "the director is stopping" });
    return this.#children.handover(instance);
  }

  /** Who asks a second time does not want to wait for a successor. */
  async #stop(code: ExitCode, why: string): Promise<void> {
    if (this.#stopping) {
      this.#say("notice", `stopping at once (${why} again)`);
      this.#children.hurry();
      return;
    }
    this.#stopping = true;
    this.#collaborators.notify("STOPPING=1");
    this.#say("notice", `stopping (${why})`, daemonEvent(this.#config.node, "running", "stopping", why));
    this.#metrics.close();
    this.#calendar.stop();
    this.#drills.abort("the director stops");
    await this.#children.stop();
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
      reconcile: () => this.#children.reconcile(),
      drill: (instance, request, askedBy) => this.#drills.run(instance, request, askedBy),
      order: (order) => this.#order(order),
    });
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

function count(list: readonly unknown[], noun: string): string {
  return `${list.length} ${noun}${list.length === 1 ? "" : "s"}`;
}
