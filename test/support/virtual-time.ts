import type { Alarm, AlarmFactory, Clock } from "../../src/ports/clock.ts";

interface Due {
  readonly atUs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told, with everything that waits for it: tests never sleep. */
export class VirtualTime implements Clock, AlarmFactory {
  #nowUs: number;
  #order = 0;
  /** Bounded by what the test schedules. */
  readonly #queue = new Set<Due>();

  /** Called after everything that ran, for what must hold at every instant. */
  watch: (() => void) | null = null;
  /** How much too late alarms go off, as real timers do. */
  alarmLateUs = 0;

  constructor(startUs = 1_000_000) {
    this.#nowUs = startUs;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + Math.floor(this.#nowUs / 1_000);
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
        entry = this.#add(Math.max(atUs, this.#nowUs) + this.alarmLateUs, () => {
          entry = undefined;
          onDue();
        });
      },
      disarm,
      close: disarm,
    };
  }

  /** When the next thing is due that waits; undefined = nothing waits. */
  get nextUs(): number | undefined {
    const due = [...this.#queue].map(({ atUs }) => atUs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Runs something once after a delay, a packet's arrival for example; returns what takes it back. */
  after(delayUs: number, run: () => void): () => void {
    const due = this.#add(this.#nowUs + delayUs, run);
    return () => this.#queue.delete(due);
  }

  /** Moves on, running what comes due in the order of its time. */
  advance(byUs: number): void {
    const endUs = this.#nowUs + byUs;
    while (this.#runNext(endUs));
    this.#nowUs = endUs;
  }

  /** As `advance`, and lets every promise that is ready be handled before the next instant. */
  async advanceSettled(byUs: number): Promise<void> {
    const endUs = this.#nowUs + byUs;
    await settle();
    while (this.#runNext(endUs)) await settle();
    this.#nowUs = endUs;
  }

  /** The process does not get to run for so long: time passes, and nothing that falls due is noticed until it is over. */
  stall(us: number): void {
    this.#nowUs += us;
  }

  #add(atUs: number, run: () => void): Due {
    const due = { atUs, order: this.#order++, run };
    this.#queue.add(due);
    return due;
  }

  #runNext(untilUs: number): boolean {
    let best: Due | undefined;
    for (const due of this.#queue) {
      if (due.atUs > untilUs) continue;
      if (best === undefined || due.atUs < best.atUs || (due.atUs === best.atUs && due.order < best.order)) best = due;
    }
    if (best === undefined) return false;
    this.#queue.delete(best);
    this.#nowUs = Math.max(this.#nowUs, best.atUs);
    best.run();
    this.watch?.();
    return true;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
