import type { EventType } from "../ports/logger.ts";
import { type EventPage, type EventQuery, isWanted, type JournalEvent } from "./events.ts";
import type { Answer, StreamSink } from "./routes.ts";

/** Where the control API takes events from. */
export interface EventSource {
  page(query: EventQuery): EventPage;
  /** 0 = there was none. */
  readonly newestId: number;
  /** The first events that a reader has not seen, at most `max`. */
  after(id: number, max: number): readonly JournalEvent[];
  /** @param listener called after each event. @returns what ends it */
  subscribe(listener: () => void): () => void;
}

export interface EventStreamOptions {
  readonly maxStreams: number;
  /** How often a comment is sent, so that both ends notice a connection that is dead. */
  readonly heartbeatMs: number;
  /** A reader that took nothing for so long is dropped; it may come back for what it missed. */
  readonly stalledMs: number;
}

const DEFAULTS: EventStreamOptions = { maxStreams: 16, heartbeatMs: 15_000, stalledMs: 30_000 };

/** Events given to a connection at once. */
const EVENTS_PER_WRITE = 100;
/** How long a reader waits before it connects again, milliseconds. */
const RETRY_MS = 1_000;

/**
 * Events as they happen, to a bounded number of readers. What a slow reader has not taken waits in the journal, not in a
 * buffer of its own.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStreams {
  readonly #source: EventSource;
  readonly #options: EventStreamOptions;
  #open = 0;

  constructor(source: EventSource, options: Partial<EventStreamOptions> = {}) {
    this.#source = source;
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * @param after id of the last event that the reader has seen; null = it wants what happens from now on
   * @returns null where there are as many readers as there may be
   */
  answer(after: number | null, types: readonly EventType[]): Answer | null {
    if (this.#open >= this.#options.maxStreams) return null;
    return {
      type: "stream",
      contentType: "text/event-stream",
      start: (sink) => this.#start(sink, after ?? this.#source.newestId, types),
    };
  }

  #start(sink: StreamSink, after: number, types: readonly EventType[]): () => void {
    const source = this.#source;
    const { heartbeatMs, stalledMs } = this.#options;
    let seen = after;
    let isScheduled = false;
    let blockedAtMs: number | null = null;
    const write = (text: string) => {
      if (!sink.write(text)) blockedAtMs = performance.now();
    };
    const pump = () => {
      isScheduled = false;
      while (blockedAtMs === null) {
        const events = source.after(seen, EVENTS_PER_WRITE);
        if (events.length === 0) return;
        seen = events.at(-1)?.id ?? seen;
        const text = events.filter(({ type }) => isWanted(types, type)).map(frame);
        if (text.length > 0) write(text.join(""));
      }
    };
    // The events of one turn travel together.
    const schedule = () => {
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(pump);
    };
    const unsubscribe = source.subscribe(schedule);
    sink.onDrain(() => {
      blockedAtMs = null;
      schedule();
    });
    const heartbeat = setInterval(() => {
      if (blockedAtMs === null) write(": alive\n\n");
      else if (performance.now() - blockedAtMs >= stalledMs) sink.drop();
    }, heartbeatMs).unref();
    this.#open += 1;
    write(`retry: ${RETRY_MS}\n\n`);
    schedule();
    return () => {
      this.#open -= 1;
      // Nothing more is written.
      blockedAtMs = Number.POSITIVE_INFINITY;
      clearInterval(heartbeat);
      unsubscribe();
    };
  }
}

/** JSON has no line breaks, so one data line holds it. */
function frame(event: JournalEvent): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Reads a stream of events, chunk by chunk. */
export class EventStreamReader {
  #rest = "";

  /** @returns the events that the chunk completes */
  push(chunk: string): readonly JournalEvent[] {
    const blocks = `${this.#rest}${chunk}`.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap((block) =>
      block
        .split("\n")
        .filter((line) => line.startsWith("data: "))
        .map((line) => JSON.parse(line.slice("data: ".length)) as JournalEvent),
    );
  }
}
