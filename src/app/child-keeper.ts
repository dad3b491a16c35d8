import { formatDurationUs, MICROSECONDS_PER_MILLISECOND } from "../base/duration.ts";
import type { ProcessStatus } from "../control/status.ts";
import { ChildHandle, type ChildHandleOptions } from "../ipc/child-handle.ts";
import { FactFeed } from "../ipc/fact-feed.ts";
import { type FactEntry, PING, type ReplyOutcome, type StateEntry } from "../ipc/messages.ts";
import type { ChildName, StartedChild } from "../ipc/started-child.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { processEvent } from "./event-facts.ts";

/** The longest that a timer takes. */
const NEVER_MS = 0x7fff_ffff;

/** First pause before a restart; doubles with each unexpected end up to the cap. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_CAP_MS = 10_000;
/** A child that ran this long has earned a short pause again. */
const STABLE_MS = 60_000;
/** A child that left so many questions unanswered is called silent: one may fall into a long piece of work. */
const SILENT_AFTER = 3;
/** A child that has not even started after so many is killed: loading the program takes seconds on a slow machine. */
const STARTED_AFTER = 60;
/** One that is still there so many questions after it was killed hangs in the kernel, and nothing here helps. */
const BEYOND_HELP_AFTER = 10;

export interface ChildKeeperOptions extends ChildHandleOptions {
  readonly name: ChildName;
  /** A child that was told to stop and did not is killed after this long. */
  readonly stopDeadlineMs: number;
  /** How often it is asked whether it answers, milliseconds. */
  readonly askEveryMs: number;
  /** Killed, and started again, after so many questions without an answer. More than 3. */
  readonly frozenAfter: number;
  /** The first child, where it runs already. */
  readonly first?: (() => StartedChild | undefined) | undefined;
}

export interface ChildKeeperEvents<State> {
  onState(entries: readonly StateEntry<State>[]): void;
  /** The present child took or refused the configuration after a (re)start. */
  onConfigured(outcome: ReplyOutcome, restarts: number): void;
  onGone(): void;
}

/** Keeps one child running: starts it, configures it, restarts it with a growing pause, stops it. */
export class ChildKeeper<Config, State, Fact = never> {
  readonly #options: ChildKeeperOptions;
  readonly #events: ChildKeeperEvents<State>;
  readonly #logger: Logger;
  #config: Config;
  #handle: ChildHandle<Config, State, Fact> | null = null;
  readonly #facts = new FactFeed<Fact>();
  /** Whether the present child takes messages: what is sent from then on arrives after its first configuration. */
  #isReady = false;
  /** Who waits for the outcome of the next start; bounded by who asks for a reload, one at a time. */
  #waiting: ((outcome: ReplyOutcome) => void)[] = [];
  #hasEndedWell = true;
  #state: ProcessStatus["state"] = "starting";
  #restarts = 0;
  #backoffMs = BACKOFF_FIRST_MS;
  #startedAtMs = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  #stopping: { readonly done: () => void } | null = null;
  #asking: NodeJS.Timeout | null = null;
  /** Times that an answer was due and not there; counted by our own turns, so that a standstill of ours counts once. */
  #missed = 0;
  #isAsked = false;

  constructor(options: ChildKeeperOptions, config: Config, events: ChildKeeperEvents<State>, logger: Logger) {
    this.#options = options;
    this.#config = config;
    this.#events = events;
    this.#logger = logger;
  }

  status(): ProcessStatus {
    return { name: this.#options.name, state: this.#state, pid: this.#handle?.pid ?? null, restarts: this.#restarts };
  }

  /** Messages to and from the present child; null = there is none. */
  messages(): { readonly sent: number; readonly received: number } | null {
    return this.#handle?.messages ?? null;
  }

  start(): void {
    this.#state = this.#restarts === 0 ? "starting" : "restarting";
    this.#startedAtMs = performance.now();
    this.#isReady = false;
    const handle: ChildHandle<Config, State, Fact> = new ChildHandle<Config, State, Fact>(
      this.#options,
      {
        onReady: () => void this.#configureAfterStart(handle),
        onState: (entries) => this.#events.onState(entries),
        onLog: (entries, dropped, droppedEvents) => this.#relay(entries, dropped, droppedEvents),
        onExit: (code, signal) => this.#ended(code, signal),
      },
      this.#options.first?.(),
    );
    this.#handle = handle;
    this.#missed = 0;
    this.#isAsked = false;
    this.#asking ??= setInterval(() => this.#ask(), this.#options.askEveryMs).unref();
  }

  /** A process that is frozen, or stuck in a loop, ends no connection and sends no signal: only asking shows it. */
  #ask(): void {
    const handle = this.#handle;
    if (handle === null || this.#stopping !== null) return;
    if (this.#isReady && !this.#isAsked) {
      this.#isAsked = true;
      // Ends with the answer, or with the child.
      void handle.command(PING, null, NEVER_MS).then(() => this.#answered(handle));
      return;
    }
    this.#missed += 1;
    const { name } = this.#options;
    if (this.#missed >= SILENT_AFTER && this.#state === "running") {
      this.#state = "silent";
      this.#say(
        "warning",
        `the ${name} process does not answer`,
        processEvent(this.#options.name, "running", "silent", "it does not answer"),
      );
    }
    if (this.#missed !== this.#patience()) return;
    this.#say(
      "error",
      `the ${name} process has not answered for too long; killed`,
      processEvent(this.#options.name, "silent", "killed", "it has not answered for too long"),
    );
    handle.kill("SIGKILL");
  }

  #patience(): number {
    return this.#isReady ? this.#options.frozenAfter : STARTED_AFTER;
  }

  /** Whether the child answers, or is about to be replaced: false for one that not even a kill has ended. */
  isAttended(): boolean {
    return this.#missed < this.#patience() + BEYOND_HELP_AFTER;
  }

  #answered(handle: ChildHandle<Config, State, Fact>): void {
    if (this.#handle !== handle) return;
    this.#isAsked = false;
    this.#missed = 0;
    if (this.#state !== "silent") return;
    this.#state = "running";
    this.#say(
      "notice",
      `the ${this.#options.name} process answers again`,
      processEvent(this.#options.name, "silent", "running", "it answers again"),
    );
  }

  /** Sends a new configuration; while the child is starting, the answer is what comes of that start. */
  async configure(config: Config): Promise<ReplyOutcome> {
    this.#config = config;
    if (this.#stopping !== null) return this.#failed("is stopping");
    if (this.#handle === null || !this.#isReady) return this.#nextStart();
    const outcome = await this.#handle.configure(config);
    if (outcome.ok || outcome.code !== "CHILD_FAILED") return outcome;
    return { ...outcome, message: `${outcome.message}; it starts again with the new configuration` };
  }

  /** What the next start is given; the present child is not told. */
  prepare(config: Config): void {
    this.#config = config;
  }

  /** Tells the child what became known; the latest of each key is told again to a child that starts anew. */
  tell(entries: readonly FactEntry<Fact>[]): void {
    this.#facts.tell(entries);
  }

  /** @param timeoutMs for commands that may take longer than applying a configuration */
  async command(name: string, argument: unknown, timeoutMs?: number): Promise<ReplyOutcome> {
    if (this.#handle === null) return this.#failed("does not run");
    return this.#handle.command(name, argument, timeoutMs);
  }

  /** Tells a child that is stopping that nobody wants to wait for it. */
  hurry(): void {
    this.#handle?.stop();
  }

  /**
   * Ends the child in good order, by force after a deadline.
   * @returns whether it ended by itself; otherwise it may have left something behind
   */
  async stop(stopDeadlineMs = this.#options.stopDeadlineMs): Promise<boolean> {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    if (this.#asking !== null) clearInterval(this.#asking);
    this.#settle(this.#failed("is stopping"));
    const handle = this.#handle;
    if (handle === null) {
      this.#state = "stopped";
      this.#stopping = { done: () => undefined };
      return this.#hasEndedWell;
    }
    const { name } = this.#options;
    await new Promise<void>((resolve) => {
      const killer = setTimeout(() => {
        this.#say(
          "warning",
          `the ${name} process did not stop within ${stopDeadlineMs} ms; killed`,
          processEvent(this.#options.name, "stopping", "killed", `it did not stop within ${stopDeadlineMs} ms`),
        );
        handle.kill("SIGKILL");
      }, stopDeadlineMs);
      this.#stopping = {
        done: () => {
          clearTimeout(killer);
          resolve();
        },
      };
      handle.stop();
    });
    return this.#hasEndedWell;
  }

  async #configureAfterStart(handle: ChildHandle<Config, State, Fact>): Promise<void> {
    this.#isReady = true;
    this.#missed = 0;
    this.#facts.attach((entries, done) => handle.tell(entries, done));
    const outcome = await handle.configure(this.#config);
    if (this.#handle !== handle) return;
    if (outcome.ok) this.#state = "running";
    this.#settle(outcome);
    this.#events.onConfigured(outcome, this.#restarts);
    if (!outcome.ok && this.#restarts > 0 && this.#stopping === null) this.#replace(handle);
  }

  /** What a restarted child lacked may be there next time: it goes, and its end brings the next one. */
  #replace(handle: ChildHandle<Config, State, Fact>): void {
    handle.stop();
    setTimeout(() => {
      if (this.#handle === handle) handle.kill("SIGKILL");
    }, this.#options.stopDeadlineMs).unref();
  }

  #nextStart(): Promise<ReplyOutcome> {
    return new Promise((resolve) => {
      const { name, replyTimeoutMs } = this.#options;
      const message = `the ${name} process did not come up within ${replyTimeoutMs} ms; it will start with the new configuration`;
      const timer = setTimeout(() => resolve({ ok: false, code: "REPLY_TIMEOUT", message }), replyTimeoutMs);
      this.#waiting.push((outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
    });
  }

  #settle(outcome: ReplyOutcome): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell(outcome);
  }

  #failed(why: string): ReplyOutcome {
    return { ok: false, code: "CHILD_FAILED", message: `the ${this.#options.name} process ${why}` };
  }

  #relay(entries: readonly LogEntry[], dropped: number, droppedEvents: number): void {
    for (const entry of entries) this.#logger.log(entry);
    if (dropped > 0)
      this.#say(
        "warning",
        `the ${this.#options.name} process dropped ${dropped} log lines because they came faster than they were read`,
        droppedEvents === 0
          ? undefined
          : processEvent(
              this.#options.name,
              null,
              null,
              `${droppedEvents} events are missing here: they came faster than they were read`,
            ),
      );
  }

  #ended(code: number | null, signal: string | null): void {
    this.#handle = null;
    this.#facts.detach();
    this.#state = "stopped";
    this.#hasEndedWell = code === 0;
    if (this.#stopping !== null) {
      this.#stopping.done();
      return;
    }
    this.#events.onGone();
    if (performance.now() - this.#startedAtMs >= STABLE_MS) this.#backoffMs = BACKOFF_FIRST_MS;
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_CAP_MS);
    this.#restarts += 1;
    this.#state = "restarting";
    const how = signal === null ? `with exit code ${code}` : `by signal ${signal}`;
    const pause = formatDurationUs(pauseMs * MICROSECONDS_PER_MILLISECOND);
    this.#say(
      "error",
      `the ${this.#options.name} process ended ${how}; restart ${this.#restarts} in ${pause}`,
      processEvent(this.#options.name, "running", "stopped", `it ended ${how}; restart ${this.#restarts} in ${pause}`),
    );
    this.#restartTimer = setTimeout(() => this.start(), pauseMs);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    this.#logger.log({ level, source: "supervisor", message, ...(event === undefined ? {} : { event }) });
  }
}
