import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { getPriority, setPriority } from "node:os";
import { messageOf } from "../base/director-error.ts";
import type { ProcessOutcome, ProcessRequest, ProcessRunner } from "../ports/process-runner.ts";

/** After the program has ended, how long a descendant outside its group may keep the pipe before output counts as complete. */
const PIPE_GRACE_MS = 50;
/** How much nicer programs are than this process: beside one of ours that wants to run they get a tenth of a processor. */
const NICER = 10;
const NICEST = 19;

/**
 * Runs programs, each in a session and process group of its own. When the program ends, by itself or not, its group is
 * killed, so that nothing it started in the background survives. A descendant that moved itself to another session
 * escapes that; the pipe it may hold is closed all the same.
 */
export class SystemProcessRunner implements ProcessRunner {
  /** Programs that have not ended; as many as callers run at once, plus those being killed. */
  readonly #running = new Set<ChildProcess>();

  /** Programs that have not ended, aborted ones that are being killed included. */
  get running(): number {
    return this.#running.size;
  }

  run(request: ProcessRequest, signal: AbortSignal): Promise<ProcessOutcome> {
    if (signal.aborted) return Promise.resolve({ type: "aborted" });
    const [program, ...args] = request.command;
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: "/",
        env: request.env,
        detached: true,
        shell: false,
        stdio: ["ignore", "pipe", "ignore"],
      });
    } catch (thrown) {
      return Promise.resolve({ type: "failed", message: messageOf(thrown) });
    }
    this.#running.add(child);
    giveWay(child);
    return new Promise((resolve) => this.#follow(child, request, signal, resolve));
  }

  /** Kills every group at once, for the end of this process: nothing waits for a grace period then. */
  killAll(): void {
    for (const child of this.#running) signalGroup(child, "SIGKILL");
  }

  #follow(
    child: ChildProcess,
    request: ProcessRequest,
    signal: AbortSignal,
    resolve: (outcome: ProcessOutcome) => void,
  ): void {
    const output = new BoundedOutput(request.maxOutputBytes);
    let killTimer: NodeJS.Timeout | undefined;
    let pipeTimer: NodeJS.Timeout | undefined;

    const settle = (outcome: ProcessOutcome): void => {
      clearTimeout(pipeTimer);
      signal.removeEventListener("abort", onAbort);
      child.stdout?.destroy();
      resolve(outcome);
    };
    const onAbort = (): void => {
      settle({ type: "aborted" });
      signalGroup(child, "SIGTERM");
      killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), request.killGraceMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });

    child.stdout?.on("data", (chunk: Buffer) => output.add(chunk));
    child.stdout?.on("error", () => undefined);
    child.on("error", (error) => {
      this.#running.delete(child);
      clearTimeout(killTimer);
      settle({ type: "failed", message: error.message });
    });
    child.on("exit", (code, signalName) => {
      this.#running.delete(child);
      clearTimeout(killTimer);
      // The leader is gone, but its number names the group as long as it has members: end those as well.
      signalGroup(child, "SIGKILL");
      const finish = (): void =>
        settle(
          code === null
            ? { type: "signalled", signal: signalName ?? "unknown" }
            : { type: "exited", code, stdout: output.text() },
        );
      if (child.stdout === null || child.stdout.closed || child.stdout.readableEnded) return finish();
      child.stdout.once("close", finish);
      pipeTimer = setTimeout(finish, PIPE_GRACE_MS);
    });
  }
}

/** Scripts that burn processor time, dozens of them at once, must not delay what this program does in the same service. */
function giveWay({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(NICEST, getPriority() + NICER));
  } catch {
    // It has ended already, or a sandbox forbids it: then it competes as an equal.
  }
}

function signalGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: nobody is left.
  }
}

/** Keeps the first bytes and lets the rest go by. */
class BoundedOutput {
  readonly #limit: number;
  /** Together at most #limit bytes. */
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#limit - this.#length);
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#length += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
