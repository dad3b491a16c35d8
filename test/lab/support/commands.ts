import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { waitFor } from "./wait.ts";

/** What a finished command said. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest that a command of the lab itself may take; slow for a guest without hardware acceleration. */
const COMMAND_LIMIT_MS = 60_000;

function describe(argv: readonly string[], outcome: Outcome): string {
  return `\`${argv.join(" ")}\` failed with exit ${outcome.status}: ${(outcome.stderr || outcome.stdout).trim()}`;
}

/** Runs a command to its end and returns what happened, good or bad. Blocks this process: not while something is timed. */
export function tryRun(argv: readonly string[], input = ""): Outcome {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { encoding: "utf8", input, timeout: COMMAND_LIMIT_MS, maxBuffer: 64 << 20 });
  return {
    status: result.status ?? 127,
    stdout: result.stdout ?? "",
    stderr: `${result.stderr ?? ""}${result.error?.message ?? ""}`,
  };
}

/** Runs a command to its end. @returns its standard output @throws if it fails, with what it said */
export function run(argv: readonly string[], input = ""): string {
  const outcome = tryRun(argv, input);
  assert.ok(outcome.status === 0, describe(argv, outcome));
  return outcome.stdout;
}

/** As `tryRun`, without blocking this process. */
export async function runAsync(argv: readonly string[]): Promise<Outcome> {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], timeout: COMMAND_LIMIT_MS });
  const texts = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    texts.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    texts.stderr += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status: status ?? 127, ...texts };
}

export interface StartOptions {
  /** Shown when something goes wrong. */
  readonly name?: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each line at the moment it comes. */
  readonly onLine?: (line: string) => void;
}

/** A program that keeps running, its lines, and its end. It leads a process group of its own. */
export class Running {
  readonly name: string;
  /** Standard output and error as they came. Bounded: the first half goes when it reaches LINE_LIMIT. */
  lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #onLine: StartOptions["onLine"];
  #closed = false;
  #log: string | undefined;

  constructor(argv: readonly string[], options: StartOptions = {}) {
    const [command = "", ...args] = argv;
    this.name = options.name ?? argv.join(" ");
    this.#onLine = options.onLine;
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) this.#collect(stream);
    child.on("error", (error) => this.#add(error.message));
    child.on("close", () => {
      this.#closed = true;
    });
  }

  static readonly LINE_LIMIT = 50_000;

  #collect(stream: Readable): void {
    createInterface({ input: stream }).on("line", (line) => this.#add(line));
  }

  /** Writes what has been said, and from now on what is said, to a file as well. */
  logTo(file: string): void {
    writeFileSync(file, this.lines.map((line) => `${line}\n`).join(""));
    this.#log = file;
  }

  #add(line: string): void {
    if (this.#log !== undefined) appendFileSync(this.#log, `${line}\n`);
    if (this.lines.length >= Running.LINE_LIMIT) this.lines = this.lines.slice(Running.LINE_LIMIT / 2);
    this.lines.push(line);
    this.#onLine?.(line);
  }

  get pid(): number {
    assert.ok(this.#child.pid !== undefined, `${this.name} did not start: ${this.lines.join("\n")}`);
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The exit code, null while it runs or if a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Sends a signal to the program itself. */
  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) process.kill(this.pid, signal);
  }

  /** Waits until a line matches. @returns that line */
  async line(pattern: RegExp, withinMs = 15_000): Promise<string> {
    await waitFor(
      `${this.name} says ${pattern}`,
      () => this.lines,
      (lines) => lines.some((line) => pattern.test(line)) || this.hasEnded,
      { withinMs, show: (lines) => lines.slice(-20).join("\n") },
    );
    const found = this.lines.find((line) => pattern.test(line));
    assert.ok(
      found !== undefined,
      `${this.name} ended before it said ${pattern}:\n${this.lines.slice(-20).join("\n")}`,
    );
    return found;
  }

  /** Waits for the end. @returns the exit code, null if a signal ended it */
  async ended(withinMs = 10_000): Promise<number | null> {
    await waitFor(
      `${this.name} ends`,
      () => this.#closed,
      (closed) => closed,
      { withinMs, show: () => this.lines.slice(-20).join("\n") },
    );
    return this.exitCode;
  }

  /** Asks the program to stop, and kills its whole process group if it has not within the time. */
  async stop(signal: NodeJS.Signals = "SIGTERM", withinMs = 10_000): Promise<void> {
    this.signal(signal);
    try {
      await this.ended(withinMs);
    } finally {
      this.kill();
    }
  }

  /** Ends the program and what it started in its group, at once. */
  kill(): void {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Already gone: that is what was wanted.
    }
  }
}
