import { err, ok, type Result } from "../base/result.ts";
import type { EventFacts, EventType, LogLevel } from "../ports/logger.ts";

/** The events as the daemon serves them and as they stand in its files. Times are ISO 8601, UTC. */
export const EVENTS_VERSION = 1;

/** Where the daemon keeps them, in its state directory. */
export const EVENTS_FOLDER = "events";

export interface JournalEvent extends EventFacts {
  /** Grows with each event, also across restarts: milliseconds since 1970, and one more where that was given before. */
  readonly id: number;
  readonly at: string;
  readonly level: LogLevel;
  /** The process that saw it: `vrrp`, `checker`, `supervisor`. */
  readonly source: string;
}

export interface EventPage {
  readonly version: typeof EVENTS_VERSION;
  /** Oldest first. */
  readonly events: readonly JournalEvent[];
  /** Id of the oldest event that is kept; null = none is. What was before it is gone. */
  readonly oldest: number | null;
  /** Id of the newest event, wanted or not: what happens later comes after it. */
  readonly newest: number | null;
}

export const EVENT_TYPES: readonly EventType[] = [
  "daemon",
  "process",
  "instance",
  "server",
  "reload",
  "drift",
  "kernel",
  "override",
  "schedule",
  "drill",
  "sync",
];

/** Events in one answer at most. */
export const MAX_EVENTS_PER_PAGE = 10_000;
export const DEFAULT_EVENTS_PER_PAGE = 100;

/** Which events are wanted. */
export interface EventQuery {
  /** Those with a larger id, the first `limit` of them; null = the newest `limit`. */
  readonly after: number | null;
  readonly limit: number;
  /** Empty = all types. */
  readonly types: readonly EventType[];
  /** Not before this time, milliseconds since 1970; null = any time. */
  readonly sinceMs: number | null;
}

/** @returns what is wanted, or a sentence that says what is wrong with it */
export function parseEventQuery(query: URLSearchParams): Result<EventQuery, string> {
  for (const name of query.keys())
    if (!["after", "limit", "type", "since"].includes(name))
      return err(`${name.slice(0, 40)} is not known here; after, limit, type and since are`);
  const after = query.get("after");
  if (after !== null && !isWhole(after, Number.MAX_SAFE_INTEGER)) return err("after is the id of an event");
  const limit = query.get("limit");
  if (limit !== null && !isWhole(limit, MAX_EVENTS_PER_PAGE))
    return err(`limit is a whole number up to ${MAX_EVENTS_PER_PAGE}`);
  const types = parseEventTypes(query.getAll("type"));
  if (!types.ok) return types;
  const since = query.get("since");
  const sinceMs = since === null ? null : Date.parse(since);
  if (Number.isNaN(sinceMs)) return err("since is a time such as 2026-01-31T04:00:00Z");
  return ok({
    after: after === null ? null : Number(after),
    limit: limit === null ? DEFAULT_EVENTS_PER_PAGE : Number(limit),
    types: types.value,
    sinceMs,
  });
}

/** @param texts each a type, or several with commas between them */
export function parseEventTypes(texts: readonly string[]): Result<readonly EventType[], string> {
  const words = texts.flatMap((text) => text.split(",")).map((word) => word.trim());
  const unknown = words.find((word) => !EVENT_TYPES.some((type) => type === word));
  if (unknown !== undefined)
    return err(`${JSON.stringify(unknown.slice(0, 40))} is no type of event; ${EVENT_TYPES.join(", ")} are`);
  return ok(words as EventType[]);
}

/** As `parseEventQuery` reads it. */
export function formatEventQuery({ after, limit, types, sinceMs }: EventQuery): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (after !== null) query.set("after", String(after));
  if (types.length > 0) query.set("type", types.join(","));
  if (sinceMs !== null) query.set("since", new Date(sinceMs).toISOString());
  return query.toString();
}

/** @param events all that are kept, oldest first */
export function pageOf(events: readonly JournalEvent[], query: EventQuery): EventPage {
  const [oldest, newest] = [events[0]?.id ?? null, events.at(-1)?.id ?? null];
  return { version: EVENTS_VERSION, events: selectEvents(events, query), oldest, newest };
}

function isWhole(text: string, max: number): boolean {
  return /^\d{1,16}$/.test(text) && Number(text) <= max;
}

/** @param events oldest first */
export function selectEvents(events: readonly JournalEvent[], query: EventQuery): readonly JournalEvent[] {
  const { after, limit, types, sinceMs } = query;
  const wanted = events
    .slice(firstAfter(events, after ?? 0))
    .filter(({ type, at }) => isWanted(types, type) && (sinceMs === null || Date.parse(at) >= sinceMs));
  return after === null ? wanted.slice(Math.max(0, wanted.length - limit)) : wanted.slice(0, limit);
}

export function isWanted(types: readonly EventType[], type: EventType): boolean {
  return types.length === 0 || types.includes(type);
}

/**
 * Where the events begin that a reader has not seen.
 * @param events oldest first
 * @returns an index; 0 too where `id` was never given here, because it is of another journal and everything is news
 */
export function firstAfter(events: readonly JournalEvent[], id: number): number {
  if (id > (events.at(-1)?.id ?? 0)) return 0;
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.id ?? 0) > id) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether a line in the files is an event. */
export function isEventLine(line: string): boolean {
  try {
    return isJournalEvent(JSON.parse(line));
  } catch {
    return false;
  }
}

function isJournalEvent(value: unknown): value is JournalEvent {
  if (typeof value !== "object" || value === null) return false;
  const { id, at, type, subject, from, to, cause, level, source } = value as Readonly<Record<string, unknown>>;
  const isTextOrNull = (part: unknown) => part === null || typeof part === "string";
  return (
    Number.isSafeInteger(id) &&
    [at, type, subject, cause, level, source].every((part) => typeof part === "string") &&
    !Number.isNaN(Date.parse(at as string)) &&
    isTextOrNull(from) &&
    isTextOrNull(to)
  );
}
