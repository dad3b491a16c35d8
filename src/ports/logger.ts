import type { Facts } from "../base/director-error.ts";

/** Severities as syslog names them; `notice` is for state changes, one line each. */
export type LogLevel = "error" | "warning" | "notice" | "info" | "debug";

/**
 * One line for the operator. `message` is a sentence that says what happened and why; `facts` carry the same as data for
 * the JSON format. Secrets go into neither.
 */
export interface LogEntry {
  readonly level: LogLevel;
  /** Room or process that speaks: `vrrp`, `checker`, `supervisor`. */
  readonly source: string;
  readonly message: string;
  readonly facts?: Facts;
}

export interface Logger {
  log(entry: LogEntry): void;
}
