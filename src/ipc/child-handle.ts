import type { ChildProcess } from "node:child_process";
import { DirectorError } from "../base/director-error.ts";
import type { LogEntry } from "../ports/logger.ts";
import type { DownMessage, FactEntry, ReplyOutcome, StateEntry, UpMessage } from "./messages.ts";
import { StartedChild } from "./started-child.ts";

export interface ChildHandleOptions {
  /** Name in logs and errors. */
  readonly name: string;
  /** The program and the role argument for it. */
  readonly program: string;
  readonly args: readonly string[];
  /** How long an answer may take, milliseconds. */
  readonly replyTimeoutMs: number;
}

export interface ChildHandleEvents<State> {
  onReady(): void;
  onState(entries: readonly StateEntry<State>[]): void;
  /** @param droppedEvents how many of the dropped lines were changes of state */
  onLog(entries: readonly LogEntry[], dropped: number, droppedEvents: number): void;
  /** The process has ended; exactly once. */
  onExit(code: number | null, signal: string | null): void;
}

interface Pending {
  readonly settle: (outcome: ReplyOutcome) => void;
  readonly timer: NodeJS.Timeout;
}

/** The supervisor's end of one running child. Lives as long as that process. */
export class ChildHandle<Config, State, Fact = never> {
  readonly #options: ChildHandleOptions;
  readonly #process: ChildProcess;
  /** Bounded by what people ask for at once; each entry ends by its reply, its deadline or the child's exit. */
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Messages in each direction. */
  #sent = 0;
  #received = 0;

  /** @param started the process, where it runs already; otherwise it is started now */
  constructor(
    options: ChildHandleOptions,
    events: ChildHandleEvents<State>,
    started = new StartedChild(options.program, options.args),
  ) {
    this.#options = options;
    this.#process = started.process;
    this.#process.on("message", (message: UpMessage<State>) => {
      this.#received += 1;
      if (message.type === "ready") events.onReady();
      else if (message.type === "state") events.onState(message.entries);
      else if (message.type === "log") events.onLog(message.entries, message.dropped, message.droppedEvents);
      else this.#settle(message.id, message.outcome);
    });
    started.onEnd((code, signal) => {
      for (const id of [...this.#pending.keys()]) {
        this.#settle(id, {
          ok: false,
          code: "CHILD_FAILED",
          message: `the ${options.name} process ended before it answered`,
        });
      }
      events.onExit(code, signal);
    });
  }

  /** Messages to and from this child. */
  get messages(): { readonly sent: number; readonly received: number } {
    return { sent: this.#sent, received: this.#received };
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  configure(config: Config): Promise<ReplyOutcome> {
    return this.#ask((id) => ({ type: "configure", id, config }));
  }

  command(name: string, argument: unknown, timeoutMs?: number): Promise<ReplyOutcome> {
    return this.#ask((id) => ({ type: "command", id, name, argument }), timeoutMs);
  }

  /** Tells facts; nothing answers. @param done called when the kernel has taken the message, or the child is gone */
  tell(entries: readonly FactEntry<Fact>[], done: () => void): void {
    this.#send({ type: "facts", entries }, done);
  }

  stop(): void {
    this.#send({ type: "stop" });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  #ask(
    message: (id: number) => DownMessage<Config, Fact>,
    replyTimeoutMs = this.#options.replyTimeoutMs,
  ): Promise<ReplyOutcome> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const { name } = this.#options;
      const timer = setTimeout(() => {
        const error = new DirectorError(
          "REPLY_TIMEOUT",
          `the ${name} process did not answer within ${replyTimeoutMs} ms`,
        );
        this.#settle(id, { ok: false, code: error.code, message: error.message });
      }, replyTimeoutMs);
      this.#pending.set(id, { settle: resolve, timer });
      this.#send(message(id));
    });
  }

  #settle(id: number, outcome: ReplyOutcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.settle(outcome);
  }

  #send(message: DownMessage<Config, Fact>, done: () => void = () => undefined): void {
    if (!this.#process.connected) {
      done();
      return;
    }
    this.#sent += 1;
    this.#process.send(message, () => done());
  }
}
