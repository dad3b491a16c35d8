import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { messageOf } from "../base/director-error.ts";

/** Of standard error the end is kept, for whoever asks why it failed. */
const MAX_ERROR_CHARS = 500;
/** After the end of its input a program may take its time; after this long it is told, and then killed. */
const END_GRACE_MS = 10_000;
const KILL_GRACE_MS = 2_000;

export interface LineProcessEvents {
  onLine(line: string): void;
  /** Called once. @param reason how it ended, as a clause */
  onEnd(reason: string): void;
}

/** A program that prints lines until its standard input ends. */
export interface LineProcess {
  /** Ends its input, and itself where that is not enough. */
  end(): void;
  /** Ends it at once. */
  kill(): void;
}

/** Starts a program without a shell. Never throws: what could not be started has ended. */
export function startLineProcess(command: readonly [string, ...string[]], events: LineProcessEvents): LineProcess {
  const [program, ...args] = command;
  let hasEnded = false;
  let errorText = "";
  const timers: NodeJS.Timeout[] = []; // two at most
  const ended = (reason: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    for (const timer of timers) clearTimeout(timer);
    const said = errorText.trim().replace(/\s+/g, " ");
    events.onEnd(said === "" ? reason : `${reason}: ${said}`);
  };
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, shell: false });
  } catch (thrown) {
    queueMicrotask(() => ended(messageOf(thrown)));
    return { end: () => undefined, kill: () => undefined };
  }
  const kill = (signal: "SIGTERM" | "SIGKILL"): void => {
    if (child.pid === undefined || hasEnded) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // ESRCH: nobody is left.
    }
  };
  child.stdin?.on("error", () => undefined);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-MAX_ERROR_CHARS);
  });
  child.on("error", (error) => ended(error.message));
  child.on("close", (code, signal) =>
    ended(signal === null ? `${program} ended with exit code ${code}` : `${program} was ended by ${signal}`),
  );
  if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (line) => events.onLine(line));
  return {
    end: () => {
      child.stdin?.end();
      timers.push(
        setTimeout(() => kill("SIGTERM"), END_GRACE_MS),
        setTimeout(() => kill("SIGKILL"), END_GRACE_MS + KILL_GRACE_MS),
      );
    },
    kill: () => kill("SIGKILL"),
  };
}
