import type { EventSource } from "../../src/control/event-stream.ts";
import { type EventPage, type EventQuery, firstAfter, type JournalEvent, pageOf } from "../../src/control/events.ts";

/** An event that says no more than its number. */
export function eventOf(id: number, change: Partial<JournalEvent> = {}): JournalEvent {
  return {
    id,
    at: new Date(id).toISOString(),
    type: "instance",
    subject: "instance web4",
    from: "backup",
    to: "master",
    cause: `cause ${id}`,
    level: "notice",
    source: "vrrp",
    ...change,
  };
}

/** A journal in memory, as the control API sees one. */
export class FewEvents implements EventSource {
  readonly #events: JournalEvent[] = [];
  readonly #listeners = new Set<() => void>();

  get newestId(): number {
    return this.#events.at(-1)?.id ?? 0;
  }

  /** Who follows now. */
  get readers(): number {
    return this.#listeners.size;
  }

  page(query: EventQuery): EventPage {
    return pageOf(this.#events, query);
  }

  after(id: number, max: number): readonly JournalEvent[] {
    return this.#events.slice(firstAfter(this.#events, id)).slice(0, max);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  add(...events: readonly JournalEvent[]): void {
    this.#events.push(...events);
    for (const listener of this.#listeners) listener();
  }
}
