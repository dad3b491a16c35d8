// Runs a child to its end, and ends it with its time limit or with the signals that are meant for this process.
import { spawn } from "node:child_process";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * @param {string[]} argv
 * @param {object} options
 * @param {boolean} options.interactive the child owns the terminal: Ctrl-C is for it, and there is no time limit
 * @param {number} options.limitSeconds
 * @param {import("node:child_process").SpawnOptions} options.spawn
 * @returns {Promise<{ code: number, ended: undefined | "limit" | NodeJS.Signals, complaints: string }>} `ended` says
 *          why it was killed; `complaints` are the last words on a piped standard error
 */
export async function supervise(argv, { interactive, limitSeconds, spawn: options }) {
  let complaints = "";
  let ended;
  const kill = (reason) => {
    ended ??= reason;
    if (interactive) child.kill("SIGKILL");
    else killGroup(child.pid);
  };
  const onSignal = (signal) => {
    if (!(interactive && signal === "SIGINT")) kill(signal);
  };
  // Before there is a child: a signal that comes while it starts is for it already.
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // setpriv: should this process be killed outright, the child goes with it.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], { ...options, detached: !interactive });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    complaints = (complaints + text).slice(-4000);
  });
  const timer = interactive ? undefined : setTimeout(() => kill("limit"), limitSeconds * 1000);
  try {
    const code = await new Promise((resolve) => {
      child.on("error", (error) => {
        complaints += error.message;
        resolve(70);
      });
      child.on("close", (status) => resolve(status ?? 70));
    });
    return { code, ended, complaints: complaints.trim() };
  } finally {
    clearTimeout(timer);
    // Ctrl-C may come twice, by the terminal and by npm: until `cutShort` the second one must not keep us from cleaning up.
    if (ended === undefined || ended === "limit") for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** A child that does not own the terminal leads a process group, so that what it started goes with it. */
function killGroup(pid) {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch (error) {
    // All of it has ended meanwhile.
    if (error.code !== "ESRCH") throw error;
  }
}

/** Says why a run was cut short, if it was. A signal ends this process, at last, as it would have without us. */
export function cutShort(ended, limitSeconds) {
  if (ended === undefined) return undefined;
  if (ended === "limit") {
    console.error(`lab: the run was killed after its time limit of ${limitSeconds} s`);
    return 124;
  }
  for (const signal of SIGNALS) process.removeAllListeners(signal);
  process.kill(process.pid, ended);
  return 130;
}
