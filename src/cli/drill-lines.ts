import type { Result } from "../base/result.ts";
import type { BroughtAnswer, BroughtProbe } from "../control/drill-api.ts";
import type { ControlError } from "../control/status.ts";

/** Lines are brought this often: soon enough for the course of a drill, whose figures come from the lines alone. */
const BRING_EVERY_MS = 40;
/** Also with nothing to bring, so that the daemon knows that somebody is there. */
const KEEP_ALIVE_MS = 1_000;
/** In one request; the next one takes the rest. */
const MAX_LINES = 500;

/** A program that prints lines until its input ends. */
export interface LineProgram {
  end(): void;
  kill(): void;
}

export type StartLines = (
  command: readonly [string, ...string[]],
  events: { onLine(line: string): void; onEnd(reason: string): void },
) => LineProgram;

export interface BroughtProberCollaborators {
  readonly startLines: StartLines;
  bring(brought: BroughtProbe): Promise<Result<BroughtAnswer, ControlError>>;
}

/** Runs a prober and brings its lines to the daemon, until the drill wants no more. */
export class BroughtProber {
  readonly #with: BroughtProberCollaborators;
  readonly #program: LineProgram;
  readonly #timer: NodeJS.Timeout;
  /** What was not brought yet; at the pace of the prober, and brought many times a second. */
  #lines: string[] = [];
  #ended: string | null = null;
  #isBringing = false;
  #isClosed = false;
  #broughtAtMs = 0;

  constructor(command: readonly [string, ...string[]], collaborators: BroughtProberCollaborators) {
    this.#with = collaborators;
    this.#program = collaborators.startLines(command, {
      onLine: (line) => this.#lines.push(line),
      onEnd: (reason) => {
        this.#ended = reason;
      },
    });
    this.#timer = setInterval(() => void this.#bring(), BRING_EVERY_MS);
    // Ctrl-C ends the probe; the drill puts everything back then, and reports.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, this.#interrupt);
  }

  readonly #interrupt = (): void => this.#program.kill();

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, this.#interrupt);
    this.#program.kill();
  }

  async #bring(): Promise<void> {
    const isIdle = this.#lines.length === 0 && this.#ended === null;
    if (this.#isBringing || (isIdle && performance.now() - this.#broughtAtMs < KEEP_ALIVE_MS)) return;
    this.#isBringing = true;
    const lines = this.#lines.slice(0, MAX_LINES);
    const isLast = this.#ended !== null && lines.length === this.#lines.length;
    try {
      const ended = isLast ? { ended: this.#ended ?? "" } : {};
      const answer = await this.#with.bring({ lines, ...ended });
      // Before the drill has begun nobody takes them: they are kept.
      if (!answer.ok || this.#isClosed) return;
      this.#lines = this.#lines.slice(lines.length);
      this.#broughtAtMs = performance.now();
      if (isLast) clearInterval(this.#timer);
      else if (!answer.value.wantsMore) this.#program.end();
    } catch {
      // The drill itself tells that the daemon is gone.
    } finally {
      this.#isBringing = false;
    }
  }
}
