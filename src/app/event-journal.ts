import { type DirectorError, messageOf } from "../base/director-error.ts";
import {
  type EventPage,
  type EventQuery,
  firstAfter,
  isEventLine,
  type JournalEvent,
  pageOf,
} from "../control/events.ts";
import type { LogEntry, Logger, LogLevel } from "../ports/logger.ts";

/** Events in memory at most: those of a few mass failures, or of months. */
export const MAX_EVENTS = 10_000;
/** Events that wait for the disk at most: when it is full for longer, the oldest of them are not written. */
const MAX_UNWRITTEN = 10_000;
/** Lines given to the disk at once. */
const LINES_PER_WRITE = 500;
/** A cause comes from outside, such as from a script. */
const MAX_TEXT_LENGTH = 1_000;
/** When a write failed, the next one is tried with the next event, and after this long. */
const RETRY_MS = 10_000;

/** Where lines are kept. */
export interface LineStore {
  recover(
    maxLines: number,
    isGood: (line: string) => boolean,
  ): { readonly lines: readonly string[]; readonly problems: readonly string[] };
  append(lines: readonly string[]): Promise<{ readonly written: number; readonly error: DirectorError | null }>;
  close(): Promise<void>;
}

export interface EventJournalCollaborators {
  readonly store: LineStore;
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Says what went wrong with the files. */
  say(level: LogLevel, message: string): void;
}

/**
 * What happened and why: takes log lines that carry a change of state, keeps the newest in memory and in the state directory.
 * Whatever the disk does, taking an event costs no time.
 */
export class EventJournal {
  readonly #with: EventJournalCollaborators;
  /** Oldest first; bounded by twice MAX_EVENTS. */
  #events: JournalEvent[] = [];
  #newestId = 0;
  /** Lines that are not on disk; bounded by MAX_UNWRITTEN. */
  #unwritten: string[] = [];
  #skipped = 0;
  #isOpen = false;
  #writing: Promise<void> | null = null;
  #hasFailed = false;
  #retry: NodeJS.Timeout | null = null;
  /** Bounded by who subscribes: the control API counts its readers. */
  readonly #listeners = new Set<() => void>();

  constructor(collaborators: EventJournalCollaborators) {
    this.#with = collaborators;
  }

  /** Takes up what earlier runs wrote, and writes from now on. What cannot be read is said and never fatal. */
  open(): void {
    this.#isOpen = true;
    try {
      const { lines, problems } = this.#with.store.recover(MAX_EVENTS, isEventLine);
      for (const problem of problems) this.#with.say("warning", `events: ${problem}`);
      const earlier = lines.map((line) => JSON.parse(line) as JournalEvent).sort((a, b) => a.id - b.id);
      this.#events = [...earlier, ...this.#events];
      this.#newestId = Math.max(this.#newestId, earlier.at(-1)?.id ?? 0);
    } catch (thrown) {
      this.#with.say("warning", `events: those of earlier runs could not be read: ${messageOf(thrown)}`);
    }
    this.#write();
  }

  /** A logger whose lines reach the journal too. */
  tee(logger: Logger): Logger {
    return {
      log: (entry) => {
        this.take(entry);
        logger.log(entry);
      },
    };
  }

  /** Keeps the change of state that a log line carries, if it carries one. */
  take({ event, level, source }: LogEntry): void {
    if (event === undefined) return;
    const wallMs = this.#with.wallMs();
    this.#newestId = Math.max(this.#newestId + 1, wallMs);
    const { type, subject, from, to, cause } = event;
    const kept: JournalEvent = {
      id: this.#newestId,
      at: new Date(wallMs).toISOString(),
      type,
      subject: short(subject),
      from: from === null ? null : short(from),
      to: to === null ? null : short(to),
      cause: short(cause),
      level,
      source,
    };
    this.#events.push(kept);
    if (this.#events.length >= 2 * MAX_EVENTS) this.#events = this.#events.slice(-MAX_EVENTS);
    this.#unwritten.push(JSON.stringify(kept));
    this.#boundUnwritten();
    this.#write();
    for (const listener of this.#listeners) listener();
  }

  page(query: EventQuery): EventPage {
    return pageOf(this.#kept(), query);
  }

  /** @returns the id of the newest event; 0 = there is none */
  get newestId(): number {
    return this.#newestId;
  }

  /** The first events that a reader has not seen, at most `max`. */
  after(id: number, max: number): readonly JournalEvent[] {
    const kept = this.#kept();
    const first = firstAfter(kept, id);
    return kept.slice(first, first + max);
  }

  /** @param listener called after each event. @returns what ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Writes what waits, for so long at most: a disk that hangs must not hold up a stop. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.#drained(), late]);
    clearTimeout(timer);
    this.#isOpen = false;
  }

  async #drained(): Promise<void> {
    this.#write();
    await this.#writing;
    await this.#with.store.close();
  }

  #kept(): readonly JournalEvent[] {
    return this.#events.length <= MAX_EVENTS ? this.#events : this.#events.slice(-MAX_EVENTS);
  }

  #write(): void {
    if (!this.#isOpen || this.#writing !== null || this.#unwritten.length === 0) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  /** One write at a time; what comes meanwhile goes with the next. */
  async #writeAll(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const batch = this.#unwritten.splice(0, LINES_PER_WRITE);
      const { written, error } = await this.#with.store.append(batch);
      this.#unwritten.unshift(...batch.slice(written));
      this.#boundUnwritten();
      if (error !== null) {
        this.#failed(error);
        return;
      }
    }
    if (!this.#hasFailed) return;
    this.#hasFailed = false;
    const lost = this.#skipped === 0 ? "none is missing" : `${this.#skipped} are missing in the files`;
    this.#with.say("notice", `events: they are written again; ${lost}`);
    this.#skipped = 0;
  }

  #boundUnwritten(): void {
    const surplus = Math.max(0, this.#unwritten.length - MAX_UNWRITTEN);
    this.#unwritten.splice(0, surplus);
    this.#skipped += surplus;
  }

  #failed(error: DirectorError): void {
    if (!this.#hasFailed)
      this.#with.say(
        "warning",
        `events: ${error.message}. ${error.remedy} They are kept in memory meanwhile, and it is tried again.`,
      );
    this.#hasFailed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#write(), RETRY_MS).unref();
  }
}

/** One line of bounded length, whatever it holds. */
function short(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
  return line.length <= MAX_TEXT_LENGTH ? line : `${line.slice(0, MAX_TEXT_LENGTH - 1)}…`;
}
