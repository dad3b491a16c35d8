import { ERROR_CATALOGUE, type ErrorCode } from "../base/director-error.ts";
import { EXIT, type ExitCode, exitCodeFor } from "../base/exit-codes.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ControlError, HandoverAnswer } from "../control/status.ts";
import type { FactEntry, ReplyOutcome, StateEntry } from "../ipc/messages.ts";
import { type ChildName, type FirstChildren, roleArguments } from "../ipc/started-child.ts";
import { SYNC_LINGER_US } from "../ipvs/sync.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { handoverBoundUs } from "../vrrp/handover.ts";
import { checkerProcessConfig, vrrpProcessConfig } from "./child-configs.ts";
import { ChildKeeper } from "./child-keeper.ts";
import { processEvent } from "./event-facts.ts";
import { takeOffLeftovers } from "./leftovers.ts";
import {
  type CheckerFact,
  type CheckerNews,
  type CheckerPlanRequest,
  type CheckerProcessConfig,
  type CheckerReply,
  type DrainNews,
  type HandoverReply,
  isCheckerState,
  isDrainNews,
  isTrackFact,
  isTraffic,
  type OverrideChange,
  type ServerOverride,
  type VrrpCommands,
  type VrrpFact,
  type VrrpProcessConfig,
  type VrrpReply,
  type VrrpState,
} from "./messages.ts";
import type { MeasuredChild } from "./metrics.ts";
import type { ApplyOutcome, LoadedConfig } from "./reloader.ts";
import type { StatusBoard } from "./status-board.ts";

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

export interface ChildrenOptions {
  /** The program that the children run, with a role argument. */
  readonly program: string;
  readonly runDir: string;
  readonly stateDir: string;
}

export interface ChildrenCollaborators {
  /** Those that run already; each is taken once. */
  readonly first: Pick<FirstChildren, "take">;
  readonly logger: Logger;
  /** Keeps what they tell. */
  readonly board: StatusBoard;
  /** What is in force. */
  present(): Pick<LoadedConfig, "config" | "keys" | "headerSecrets">;
  /** Instances that a new vrrp process starts at rest, beside those that rested when the one before ended. */
  resting(): readonly string[];
  /** What stands over the checks. */
  overrides(): readonly ServerOverride[];
  /** The board knows something new of instances. */
  onInstances(): void;
  /** The board knows something new of servers. */
  onServers(drains: readonly DrainNews[]): void;
  /** The vrrp process ended; another one follows. */
  onVrrpGone(): void;
  /** Both work with their configuration, from the start or again. */
  onReady(): void;
  /** One of them cannot work at its first start: what it lacks is missing for good. */
  onHopeless(exit: ExitCode, code: string): void;
}

/**
 * The vrrp process and the checker process: what each is given of the configuration, what one must know of the other, and in
 * which order they end.
 */
export class Children {
  readonly #options: ChildrenOptions;
  readonly #with: ChildrenCollaborators;
  readonly #vrrp: ChildKeeper<VrrpProcessConfig, VrrpState, VrrpFact>;
  readonly #checker: ChildKeeper<CheckerProcessConfig, CheckerNews, CheckerFact>;
  readonly #configured = new Set<string>();
  #problems: readonly string[] = [];

  constructor(options: ChildrenOptions, collaborators: ChildrenCollaborators) {
    this.#options = options;
    this.#with = collaborators;
    const { board, logger } = collaborators;
    this.#vrrp = new ChildKeeper(
      { ...this.#keeperOptions("vrrp"), stopDeadlineMs: VRRP_STOP_DEADLINE_MS },
      this.#vrrpConfig(),
      {
        onState: (entries) => {
          board.updateInstances(entries);
          this.#checker.tell(entries.map(phaseFact));
          collaborators.onInstances();
        },
        onConfigured: (outcome, restarts) => this.#childConfigured("vrrp", outcome, restarts),
        onGone: () => {
          this.#checker.tell(board.forgetInstances().map((key) => [key, null]));
          this.#problems = [];
          collaborators.onVrrpGone();
          this.#vrrp.prepare(this.#vrrpConfig());
        },
      },
      logger,
    );
    this.#checker = new ChildKeeper(
      { ...this.#keeperOptions("checker"), stopDeadlineMs: STOP_DEADLINE_MS },
      this.#checkerConfig(),
      {
        onState: (entries) => {
          board.updateServers(entries.filter(isCheckerState));
          board.updateTraffic(entries.filter(isTraffic));
          const drains = entries.filter(isDrainNews).flatMap(([, news]) => news ?? []);
          // Without a checker, what the last one found out stands.
          this.#vrrp.tell(entries.filter(isTrackFact));
          collaborators.onServers(drains);
        },
        onConfigured: (outcome, restarts) => this.#childConfigured("checker", outcome, restarts),
        // The kernel goes on forwarding by the last table; what was known about the servers still describes it.
        onGone: () => undefined,
      },
      logger,
    );
  }

  start(): void {
    this.#checker.prepare(this.#checkerConfig());
    this.#checker.start();
    this.#vrrp.start();
  }

  get processes(): readonly MeasuredChild[] {
    return [this.#vrrp, this.#checker];
  }

  /** Whether both are looked after; what the service manager's watchdog is told. */
  isWell(): boolean {
    return this.#vrrp.isAttended() && this.#checker.isAttended();
  }

  /** What the present vrrp process could not do; bounded by what it tries. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Hands both what is in force now. */
  async configure(): Promise<ApplyOutcome> {
    const [checker, vrrp] = await Promise.all([
      this.#checker.configure(this.#checkerConfig()),
      this.#vrrp.configure(this.#vrrpConfig()),
    ]);
    if (vrrp.ok) this.#problems = (vrrp.value as VrrpReply).problems;
    const failed = [checker, vrrp].find((outcome) => !outcome.ok);
    if (failed !== undefined && !failed.ok) return err({ code: failed.code, message: failed.message });
    return ok(checker.ok ? (checker.value as CheckerReply) : { changes: [], remaining: [] });
  }

  /** Tells the checker process, and its next one. */
  override(changes: readonly OverrideChange[]): Promise<ReplyOutcome> {
    this.#checker.prepare(this.#checkerConfig());
    return this.#checker.command("override", changes);
  }

  /** Asks the checker process what taking a configuration would change. */
  plan(request: CheckerPlanRequest, withinMs: number): Promise<ReplyOutcome> {
    return this.#checker.command("plan", request, withinMs);
  }

  /** Has the checker process compare the kernel's table with what is wanted. */
  reconcile(): Promise<ReplyOutcome> {
    return this.#checker.command("reconcile", null);
  }

  /** Gives the vrrp process a command that may take as long as a handover. */
  move<Name extends keyof VrrpCommands>(name: Name, argument: VrrpCommands[Name]): Promise<ReplyOutcome> {
    return this.#vrrp.command(name, argument, this.#handoverBoundMs() + REPLY_TIMEOUT_MS);
  }

  /** Ends the rest of an instance. */
  wake(instance: string): void {
    void this.#vrrp.command("wake", instance);
  }

  /** Lets a peer serve an instance, and every other of its group. */
  async handover(instance: string): Promise<Result<HandoverAnswer, ControlError>> {
    const outcome = await this.move("handover", instance);
    return outcome.ok
      ? handoverAnswer(outcome.value as HandoverReply)
      : err({ code: outcome.code, message: outcome.message });
  }

  /** Tells a vrrp process that is stopping that nobody wants to wait for a successor. */
  hurry(): void {
    this.#vrrp.hurry();
  }

  /** The address moves away first; then nobody needs the table any more. */
  async stop(): Promise<void> {
    if (!(await this.#vrrp.stop(this.#handoverBoundMs() + VRRP_STOP_DEADLINE_MS)))
      await takeOffLeftovers(
        { ...this.#childOptions("vrrp"), replyTimeoutMs: VRRP_STOP_DEADLINE_MS },
        { ...this.#vrrpConfig(), instances: [], realtime: false },
        2 * VRRP_STOP_DEADLINE_MS,
        this.#with.logger,
      );
    await this.#checker.stop();
  }

  #childConfigured(name: "vrrp" | "checker", outcome: ReplyOutcome, restarts: number): void {
    if (!outcome.ok) {
      this.#say("error", `the ${name} process cannot work: ${outcome.message}. ${remedyOf(outcome.code)}`);
      if (restarts === 0) this.#with.onHopeless(startFailure(outcome.code), outcome.code);
      return;
    }
    if (name === "vrrp") this.#problems = (outcome.value as VrrpReply).problems;
    this.#configured.add(name);
    if (restarts > 0)
      this.#say(
        "notice",
        `the ${name} process runs again`,
        processEvent(name, "stopped", "running", `restart ${restarts}`),
      );
    if (this.#configured.size === 2) this.#with.onReady();
  }

  /** How long the slowest resignation may take, with the farewell after it. */
  #handoverBoundMs(): number {
    const { instances } = this.#with.present().config;
    const boundsUs = instances.map(({ advertIntervalUs }) => handoverBoundUs(advertIntervalUs));
    return Math.ceil(Math.max(0, ...boundsUs) / 1000) + FAREWELL_MS;
  }

  #childOptions<Name extends ChildName>(name: Name) {
    return {
      name,
      program: this.#options.program,
      args: roleArguments(name),
      replyTimeoutMs: REPLY_TIMEOUT_MS,
    };
  }

  #keeperOptions(name: ChildName) {
    return {
      ...this.#childOptions(name),
      askEveryMs: ASK_EVERY_MS,
      frozenAfter: FROZEN_AFTER[name],
      first: () => this.#with.first.take(name),
    };
  }

  #vrrpConfig(): VrrpProcessConfig {
    const present = this.#with.present();
    const resting = new Set([...this.#with.board.resting(present.config), ...this.#with.resting()]);
    return vrrpProcessConfig(present, [...resting], this.#options.runDir);
  }

  #checkerConfig(): CheckerProcessConfig {
    return checkerProcessConfig(this.#with.present(), this.#with.overrides(), this.#options.stateDir);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    this.#with.logger.log({ level, source: "supervisor", message, ...(event === undefined ? {} : { event }) });
  }
}

/** What the checker process must know of an instance. */
function phaseFact([key, state]: StateEntry<VrrpState>): FactEntry<CheckerFact> {
  return [key, state === null ? null : { phase: state.phase }];
}

function handoverAnswer(reply: HandoverReply): Result<HandoverAnswer, ControlError> {
  const failed = reply.filter(({ successor }) => successor === null);
  if (failed.length > 0) {
    const message = failed.map(({ instance, reason }) => `${instance}: ${reason}`).join("; ");
    return err({ code: "HANDOVER_FAILED", message });
  }
  return ok({
    moved: reply.flatMap(({ instance, successor, tookUs }) =>
      successor === null ? [] : [{ instance, successor, tookMs: Math.round(tookUs / 1000) }],
    ),
  });
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
