import { assert } from "../base/assert.ts";

/** Messages in each watchdog time: one may be late and one lost before the service manager acts. */
const MESSAGES = 3;
const US_PER_MS = 1000;

export interface WatchdogOptions {
  /** How long the service manager waits for a message, microseconds. */
  readonly withinUs: number;
}

export interface WatchdogCollaborators {
  /** Whether everything that this process sees to is seen to. */
  isWell(): boolean;
  notify(line: "WATCHDOG=1"): void;
}

/**
 * The service manager's time for us to prove that we live.
 * @param env of this process: $WATCHDOG_USEC, and $WATCHDOG_PID, which says whether it is meant for us
 * @returns undefined where nobody waits
 * @see sd_watchdog_enabled(3)
 */
export function watchdogTimeUs(env: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  const { WATCHDOG_USEC: time, WATCHDOG_PID: meant } = env;
  if (time === undefined || !/^[1-9]\d{0,14}$/.test(time)) return undefined;
  if (meant !== undefined && meant !== "" && meant !== String(pid)) return undefined;
  return Number(time);
}

/**
 * Tells the service manager that this process lives, from a timer: an event loop that hangs tells nothing, and is restarted. Goes
 * on while the process stops, which may take long.
 */
export function startWatchdog(
  { withinUs }: WatchdogOptions,
  { isWell, notify }: WatchdogCollaborators,
): NodeJS.Timeout {
  assert(withinUs > 0, "a watchdog has a time");
  const tell = (): void => {
    if (isWell()) notify("WATCHDOG=1");
  };
  tell();
  return setInterval(tell, Math.max(1, Math.floor(withinUs / US_PER_MS / MESSAGES))).unref();
}
