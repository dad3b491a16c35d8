import type { Writable } from "node:stream";

/** What waits for the reader at most, in characters as the stream counts them; a line more is dropped. */
const MAX_WAITING = 1024 * 1024;
/** The same for lines that are changes of state: no flood of other lines takes their place. */
const MAX_WAITING_WITH_EVENTS = 2 * MAX_WAITING;

/**
 * Bounds what waits for the reader of the log. Node keeps what a pipe does not take, and where journald hangs that would be
 * every line from then on.
 */
export class Backlog {
  readonly #stream: Writable;
  readonly #onCaughtUp: (dropped: number) => void;
  #dropped = 0;

  /** @param onCaughtUp called when nothing waits any more and lines were dropped meanwhile, with their number */
  constructor(stream: Writable, onCaughtUp: (dropped: number) => void) {
    this.#stream = stream;
    this.#onCaughtUp = onCaughtUp;
    stream.on("drain", () => this.#tell());
  }

  /**
   * Whether a line may be written now; one that may not is counted. Once a line was dropped, all others are until the reader
   * has caught up, so that what is missing is missing in one place.
   * @param isEvent whether it is a change of state: those are written as long as there is room
   */
  admits(isEvent: boolean): boolean {
    // A stream that failed has thrown away what waited, and does not call that drained.
    if (this.#stream.writableLength === 0) this.#tell();
    const waiting = this.#stream.writableLength;
    const isFull = isEvent
      ? waiting >= MAX_WAITING_WITH_EVENTS
      : waiting >= MAX_WAITING || (this.#dropped > 0 && waiting > 0);
    if (isFull) this.#dropped += 1;
    return !isFull;
  }

  #tell(): void {
    const dropped = this.#dropped;
    if (dropped === 0) return;
    // First: whoever is told writes a line, which asks here again.
    this.#dropped = 0;
    this.#onCaughtUp(dropped);
  }
}
