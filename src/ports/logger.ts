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
  /** What the journal of events keeps of it; absent for lines that are no change of state. */
  readonly event?: EventFacts;
}

/** What an event is about. */
export type EventType =
  | "daemon"
  | "process"
  | "instance"
  | "server"
  | "reload"
  | "drift"
  | "kernel"
  | "override"
  | "schedule"
  | "drill"
  | "sync";

/** One change of state, as data: what, from what to what, and why. */
export interface EventFacts {
  readonly type: EventType;
  /** `instance web4`, `service web server 10.0.0.11:80`. */
  readonly subject: string;
  /** How it was; null = absent or not known. */
  readonly from: string | null;
  /** How it is now; null = gone. */
  readonly to: string | null;
  /** The reason, as a sentence. */
  readonly cause: string;
}

export interface Logger {
  log(entry: LogEntry): void;
}
