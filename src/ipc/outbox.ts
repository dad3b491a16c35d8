import type { LogEntry } from "../ports/logger.ts";
import type { ReplyOutcome, StateEntry, UpMessage } from "./messages.ts";

/** Log lines that wait at most; later ones are dropped and counted. */
const MAX_WAITING_LOGS = 1_000;
/** The same for lines that are changes of state: ten thousand servers may go down, and come back, while nobody reads. */
const MAX_WAITING_EVENTS = 20_000;
/** Entries per message, so that one message stays small. */
const MAX_ENTRIES_PER_MESSAGE = 200;

/** Hands one message to the channel; `done` is called when the kernel has taken it. */
export type Transmit<State> = (message: UpMessage<State>, done: () => void) => void;

/**
 * What a child has to tell its supervisor. One message is on its way at a time; meanwhile states overwrite older ones of the
 * same key and logs wait in a bounded buffer. A supervisor that does not read costs bounded memory and never a delay.
 */
export class Outbox<State> {
  readonly #transmit: Transmit<State>;
  /** Bounded by the number of configured objects. */
  readonly #states = new Map<string, State | null>();
  /** Bounded by MAX_WAITING_LOGS and MAX_WAITING_EVENTS. */
  #logs: LogEntry[] = [];
  /** How many of them are changes of state. */
  #events = 0;
  #dropped = 0;
  #droppedEvents = 0;
  /** Bounded by the commands that the supervisor has under way; never dropped. */
  readonly #replies: { readonly id: number; readonly outcome: ReplyOutcome }[] = [];
  #ready = false;
  #busy = false;
  #scheduled = false;

  constructor(transmit: Transmit<State>) {
    this.#transmit = transmit;
  }

  ready(): void {
    this.#ready = true;
    this.#schedule();
  }

  state(key: string, value: State | null): void {
    this.#states.set(key, value);
    this.#schedule();
  }

  log(entry: LogEntry): void {
    const isEvent = entry.event !== undefined;
    const isFull = isEvent ? this.#events >= MAX_WAITING_EVENTS : this.#logs.length - this.#events >= MAX_WAITING_LOGS;
    if (!isFull) {
      this.#logs.push(entry);
      if (isEvent) this.#events += 1;
    } else {
      this.#dropped += 1;
      if (isEvent) this.#droppedEvents += 1;
    }
    this.#schedule();
  }

  reply(id: number, outcome: ReplyOutcome): void {
    this.#replies.push({ id, outcome });
    this.#schedule();
  }

  /** Calls back when everything that waits now has been handed to the kernel. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#busy && this.#next(false) === undefined) resolve();
        else setImmediate(look);
      };
      look();
    });
  }

  /** Waits for the end of the turn, so that what belongs together travels together. */
  #schedule(): void {
    if (this.#busy || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#busy) return;
    const message = this.#next(true);
    if (message === undefined) return;
    this.#busy = true;
    this.#transmit(message, () => {
      this.#busy = false;
      this.#pump();
    });
  }

  /** The next message in order of importance; taken out of the buffers if `take`. */
  #next(take: boolean): UpMessage<State> | undefined {
    if (this.#ready) {
      if (take) this.#ready = false;
      return { type: "ready" };
    }
    if (this.#logs.length > 0 || this.#dropped > 0) {
      const entries = this.#logs.slice(0, MAX_ENTRIES_PER_MESSAGE);
      const [dropped, droppedEvents] = [this.#dropped, this.#droppedEvents];
      if (take) {
        this.#logs = this.#logs.slice(entries.length);
        this.#events -= entries.filter(({ event }) => event !== undefined).length;
        this.#dropped = 0;
        this.#droppedEvents = 0;
      }
      return { type: "log", entries, dropped, droppedEvents };
    }
    if (this.#states.size > 0) {
      const entries: StateEntry<State>[] = [];
      for (const entry of this.#states) {
        if (entries.length >= MAX_ENTRIES_PER_MESSAGE) break;
        entries.push(entry);
        if (take) this.#states.delete(entry[0]);
      }
      return { type: "state", entries };
    }
    const reply = take ? this.#replies.shift() : this.#replies[0];
    return reply === undefined ? undefined : { type: "reply", ...reply };
  }
}
