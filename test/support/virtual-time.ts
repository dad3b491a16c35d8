import type { Alarm, AlarmFactory, Clock } from "../../src/ports/clock.ts";

interface Due {
  readonly atUs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told, with everything that waits for it: tests never sleep. */
export class VirtualTime implements Clock, AlarmFactory {
  #nowUs = 0;
  #order = 0;
  /** Bounded by what the test schedules. */
  readonly #queue = new Set<Due>();

  nowUs(): number {
    return this.#nowUs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowUs / 1000;
  }

  create(onDue: () => void): Alarm {
    let entry: Due | undefined;
    const disarm = () => {
      if (entry !== undefined) this.#queue.delete(entry);
      entry = undefined;
    };
    return {
      arm: (atUs) => {
        disarm();
        entry = this.#add(Math.max(atUs, this.#nowUs), () => {
          entry = undefined;
          onDue();
        });
      },
      disarm,
    };
  }

  /** Runs something after a delay, a packet's arrival for example. */
  after(delayUs: number, run: () => void): void {
    this.#add(this.#nowUs + delayUs, run);
  }

  /** Moves on, running what comes due in the order of its time. */
  advance(byUs: number): void {
    const endUs = this.#nowUs + byUs;
    for (let next = this.#next(endUs); next !== undefined; next = this.#next(endUs)) {
      this.#queue.delete(next);
      this.#nowUs = next.atUs;
      next.run();
    }
    this.#nowUs = endUs;
  }

  #add(atUs: number, run: () => void): Due {
    const due = { atUs, order: this.#order++, run };
    this.#queue.add(due);
    return due;
  }

  #next(untilUs: number): Due | undefined {
    let best: Due | undefined;
    for (const due of this.#queue) {
      if (due.atUs > untilUs) continue;
      if (best === undefined || due.atUs < best.atUs || (due.atUs === best.atUs && due.order < best.order)) best = due;
    }
    return best;
  }
}
