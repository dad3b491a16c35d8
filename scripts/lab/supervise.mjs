// Runs a child to its end, and ends it with its time limit or with the signals that are meant for this process.
import { spawn } from "node:child_process";

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
  // setpriv: should this process be killed outright, the child goes with it.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], { ...options, detached: !interactive });
  let complaints = "";
  let ended;
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    complaints = (complaints + text).slice(-4000);
  });
  const kill = (reason) => {
    ended ??= reason;
    child.kill("SIGKILL");
  };
  const onSignal = (signal) => {
    if (!(interactive && signal === "SIGINT")) kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, onSignal);
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
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** Says why a run was cut short, if it was. A signal ends this process as it would have without us. */
export function cutShort(ended, limitSeconds) {
  if (ended === undefined) return undefined;
  if (ended === "limit") {
    console.error(`lab: the run was killed after its time limit of ${limitSeconds} s`);
    return 124;
  }
  process.kill(process.pid, ended);
  return 130;
}
