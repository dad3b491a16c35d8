/**
 * A bounded number of scripts at once; the rest wait in order. A waiter keeps its place over several of its
 * intervals, so that none starves while others come round again.
 */
export class ScriptSlots<T> {
  #limit: number;
  #taken = 0;
  /** In order of arrival; bounded by the number of script checks, each of which waits once at most. */
  readonly #waiting = new Set<T>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @returns whether a slot was free; if not, the caller now waits */
  take(waiter: T): boolean {
    if (this.#taken < this.#limit && this.#waiting.size === 0) {
      this.#taken += 1;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** Gives a slot back. */
  release(): void {
    this.#taken -= 1;
  }

  /** Hands a free slot to whoever has waited longest; undefined when none is free or nobody waits. */
  next(): T | undefined {
    if (this.#taken >= this.#limit) return undefined;
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      this.#taken += 1;
      return waiter;
    }
    return undefined;
  }

  leave(waiter: T): void {
    this.#waiting.delete(waiter);
  }

  /** A lower limit takes effect as slots come back. */
  resize(limit: number): void {
    this.#limit = limit;
  }
}
