import { isDeepStrictEqual } from "node:util";
import type { FactEntry } from "./messages.ts";

/** Hands entries to a child; `done` is called when the kernel has taken them. */
export type TransmitFacts<Fact> = (entries: readonly FactEntry<Fact>[], done: () => void) => void;

/**
 * What a child is told about the world outside it. The latest of each key wins, what did not change is not told again, and a
 * child that starts anew is told everything. One message is on its way at a time, so a child that does not read costs
 * bounded memory.
 */
export class FactFeed<Fact> {
  /** Bounded by the configured objects: who tells a fact tells its end. */
  readonly #facts = new Map<string, Fact>();
  /** Keys to tell when the channel is free; bounded by the configured objects. */
  readonly #pending = new Set<string>();
  #transmit: TransmitFacts<Fact> | null = null;
  #isBusy = false;

  /** Takes facts and tells what is new about them. */
  tell(entries: readonly FactEntry<Fact>[]): void {
    for (const [key, value] of entries) {
      if (isDeepStrictEqual(this.#facts.get(key) ?? null, value)) continue;
      if (value === null) this.#facts.delete(key);
      else this.#facts.set(key, value);
      this.#pending.add(key);
    }
    this.#pump();
  }

  /** A child takes messages from now on: everything known goes out before this returns. */
  attach(transmit: TransmitFacts<Fact>): void {
    this.#transmit = transmit;
    this.#isBusy = false;
    this.#pending.clear();
    for (const key of this.#facts.keys()) this.#pending.add(key);
    this.#pump();
  }

  /** Nobody listens until the next `attach`. */
  detach(): void {
    this.#transmit = null;
    this.#pending.clear();
  }

  #pump(): void {
    const transmit = this.#transmit;
    if (transmit === null || this.#isBusy || this.#pending.size === 0) return;
    const entries = [...this.#pending].map((key): FactEntry<Fact> => [key, this.#facts.get(key) ?? null]);
    this.#pending.clear();
    this.#isBusy = true;
    transmit(entries, () => {
      // Of a child that is gone, nothing is awaited any more.
      if (this.#transmit !== transmit) return;
      this.#isBusy = false;
      this.#pump();
    });
  }
}
