import { assert } from "../base/assert.ts";

interface Entry<T> {
  readonly item: T;
  atUs: number;
  /** Position in the heap. */
  index: number;
}

/**
 * What is due when: each item stands in it at most once, and can be moved. A binary heap that knows where its items
 * are, so one timer serves any number of checks; setting and removing cost log2(size) comparisons.
 */
export class Agenda<T> {
  /** Bounded by the number of items that were set and not deleted: one per check. */
  readonly #heap: Entry<T>[] = [];
  readonly #entries = new Map<T, Entry<T>>();

  get size(): number {
    return this.#heap.length;
  }

  /** Puts an item in for an instant, or moves it there. */
  set(item: T, atUs: number): void {
    let entry = this.#entries.get(item);
    if (entry === undefined) {
      entry = { item, atUs, index: this.#heap.length };
      this.#entries.set(item, entry);
      this.#heap.push(entry);
    } else {
      entry.atUs = atUs;
    }
    this.#rise(entry);
    this.#sink(entry);
  }

  delete(item: T): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    const last = this.#heap.pop();
    assert(last !== undefined, "an entry without a heap");
    if (last === entry) return;
    last.index = entry.index;
    this.#heap[last.index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  /** The earliest item, which stays in. */
  peek(): { readonly item: T; readonly atUs: number } | undefined {
    return this.#heap[0];
  }

  clear(): void {
    this.#heap.length = 0;
    this.#entries.clear();
  }

  #rise(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (parent === undefined || parent.atUs <= entry.atUs) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry<T>): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = right !== undefined && left !== undefined && right.atUs < left.atUs ? right : left;
      if (child === undefined || child.atUs >= entry.atUs) return;
      this.#swap(entry, child);
    }
  }

  #swap(upper: Entry<T>, lower: Entry<T>): void {
    const index = upper.index;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[lower.index] = lower;
  }
}
