import { formatDurationUs, MICROSECONDS_PER_MILLISECOND } from "../base/duration.ts";
import type { ProcessStatus } from "../control/status.ts";
import { ChildHandle, type ChildHandleOptions } from "../ipc/child-handle.ts";
import type { ReplyOutcome, StateEntry } from "../ipc/messages.ts";
import type { LogEntry, Logger } from "../ports/logger.ts";

/** First pause before a restart; doubles with each unexpected end up to the cap. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_CAP_MS = 10_000;
/** A child that ran this long has earned a short pause again. */
const STABLE_MS = 60_000;

export interface ChildKeeperOptions extends ChildHandleOptions {
  readonly name: "vrrp" | "checker";
  /** A child that was told to stop and did not is killed after this long. */
  readonly stopDeadlineMs: number;
}

export interface ChildKeeperEvents<State> {
  onState(entries: readonly StateEntry<State>[]): void;
  /** The present child took or refused the configuration after a (re)start. */
  onConfigured(outcome: ReplyOutcome, restarts: number): void;
  onGone(): void;
}

/** Keeps one child running: starts it, configures it, restarts it with a growing pause, stops it. */
export class ChildKeeper<Config, State> {
  readonly #options: ChildKeeperOptions;
  readonly #events: ChildKeeperEvents<State>;
  readonly #logger: Logger;
  #config: Config;
  #handle: ChildHandle<Config, State> | null = null;
  #state: ProcessStatus["state"] = "starting";
  #restarts = 0;
  #backoffMs = BACKOFF_FIRST_MS;
  #startedAtMs = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  #stopping: { readonly done: () => void } | null = null;

  constructor(options: ChildKeeperOptions, config: Config, events: ChildKeeperEvents<State>, logger: Logger) {
    this.#options = options;
    this.#config = config;
    this.#events = events;
    this.#logger = logger;
  }

  status(): ProcessStatus {
    return { name: this.#options.name, state: this.#state, pid: this.#handle?.pid ?? null, restarts: this.#restarts };
  }

  start(): void {
    this.#state = this.#restarts === 0 ? "starting" : "restarting";
    this.#startedAtMs = performance.now();
    const handle: ChildHandle<Config, State> = new ChildHandle<Config, State>(this.#options, {
      onReady: () => void this.#configureAfterStart(handle),
      onState: (entries) => this.#events.onState(entries),
      onLog: (entries, dropped) => this.#relay(entries, dropped),
      onExit: (code, signal) => this.#ended(code, signal),
    });
    this.#handle = handle;
  }

  /** Sends a new configuration; a child that is just restarting gets it when it is ready. */
  async configure(config: Config): Promise<ReplyOutcome> {
    this.#config = config;
    if (this.#handle === null || this.#state !== "running") {
      return {
        ok: false,
        code: "CHILD_FAILED",
        message: `the ${this.#options.name} process is restarting; it will start with the new configuration`,
      };
    }
    return this.#handle.configure(config);
  }

  async command(name: string, argument: unknown): Promise<ReplyOutcome> {
    if (this.#handle === null)
      return { ok: false, code: "CHILD_FAILED", message: `the ${this.#options.name} process does not run` };
    return this.#handle.command(name, argument);
  }

  /** Ends the child in good order, by force after a deadline. */
  async stop(): Promise<void> {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    const handle = this.#handle;
    if (handle === null) return;
    const { name, stopDeadlineMs } = this.#options;
    await new Promise<void>((resolve) => {
      const killer = setTimeout(() => {
        this.#say("warning", `the ${name} process did not stop within ${stopDeadlineMs} ms; killed`);
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
  }

  async #configureAfterStart(handle: ChildHandle<Config, State>): Promise<void> {
    const outcome = await handle.configure(this.#config);
    if (this.#handle !== handle) return;
    if (outcome.ok) this.#state = "running";
    this.#events.onConfigured(outcome, this.#restarts);
  }

  #relay(entries: readonly LogEntry[], dropped: number): void {
    for (const entry of entries) this.#logger.log(entry);
    if (dropped > 0)
      this.#say(
        "warning",
        `the ${this.#options.name} process dropped ${dropped} log lines because they came faster than they were read`,
      );
  }

  #ended(code: number | null, signal: string | null): void {
    this.#handle = null;
    this.#state = "stopped";
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
    this.#say("error", `the ${this.#options.name} process ended ${how}; restart ${this.#restarts} in ${pause}`);
    this.#restartTimer = setTimeout(() => this.start(), pauseMs);
  }

  #say(level: LogEntry["level"], message: string): void {
    this.#logger.log({ level, source: "supervisor", message });
  }
}
