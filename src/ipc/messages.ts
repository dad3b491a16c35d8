import type { LogEntry } from "../ports/logger.ts";

/**
 * Messages between the supervisor and its children over Node's built-in IPC channel (JSON).
 * State is "latest wins" per key, so a queue holds at most one entry per object.
 */
export type DownMessage<Config, Fact = never> =
  /** A complete, validated configuration for this child; answered by a reply. */
  | { readonly type: "configure"; readonly id: number; readonly config: Config }
  /** Something a person asked for; answered by a reply. */
  | { readonly type: "command"; readonly id: number; readonly name: string; readonly argument: unknown }
  /** What became known about the world outside this child: the latest of each key, all of them after its start. */
  | { readonly type: "facts"; readonly entries: readonly FactEntry<Fact>[] }
  /** End in good order: release what you hold, then exit 0. */
  | { readonly type: "stop" };

/** The command that asks whether a child gets its turn; the channel answers it. */
export const PING = "ping";

export type UpMessage<State> =
  /** The child runs and waits for its configuration. */
  | { readonly type: "ready" }
  /** The present state of objects by key; null = the object is gone. */
  | { readonly type: "state"; readonly entries: readonly StateEntry<State>[] }
  /** Log lines, and how many were dropped because the channel was full; so many of those were changes of state. */
  | {
      readonly type: "log";
      readonly entries: readonly LogEntry[];
      readonly dropped: number;
      readonly droppedEvents: number;
    }
  | { readonly type: "reply"; readonly id: number; readonly outcome: ReplyOutcome };

export type StateEntry<State> = readonly [key: string, value: State | null];

/** null = nothing is known about it any more. */
export type FactEntry<Fact> = readonly [key: string, value: Fact | null];

export type ReplyOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };
