import type { Alarm, AlarmFactory, Clock } from "../../src/ports/clock.ts";

interface Timer {
  readonly atUs: number;
  readonly run: () => void;
}

/** A clock that moves when told to, with its alarms. Nothing sleeps: a simulated hour takes as long as its events. */
export class FakeTime implements Clock, AlarmFactory {
  #nowUs: number;
  /** Those that are armed; the tests keep them few, apart from one per attempt under way. */
  readonly #timers = new Set<Timer>();

  /** How much too late alarms go off, as real timers do. */
  alarmLateUs = 0;

  constructor(startUs = 1_000_000) {
    this.#nowUs = startUs;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  wallMs(): number {
    return Math.floor(this.#nowUs / 1_000);
  }

  create(onDue: () => void): Alarm {
    let timer: Timer | undefined;
    const disarm = () => {
      if (timer !== undefined) this.#timers.delete(timer);
      timer = undefined;
    };
    return {
      arm: (atUs) => {
        disarm();
        timer = this.#add(Math.max(atUs, this.#nowUs) + this.alarmLateUs, () => {
          timer = undefined;
          onDue();
        });
      },
      disarm,
    };
  }

  /** Calls back once; returns what takes it back. */
  after(us: number, run: () => void): () => void {
    const timer = this.#add(this.#nowUs + us, run);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, running what falls due at its instant, and what that resolves before the next. */
  async advance(us: number): Promise<void> {
    const untilUs = this.#nowUs + us;
    await settle();
    for (let next = this.#earliest(); next !== undefined && next.atUs <= untilUs; next = this.#earliest()) {
      this.#timers.delete(next);
      this.#nowUs = Math.max(this.#nowUs, next.atUs);
      next.run();
      await settle();
    }
    this.#nowUs = untilUs;
  }

  /** The process does not get to run for so long: time passes, and nothing that falls due is noticed until it is over. */
  stall(us: number): void {
    this.#nowUs += us;
  }

  #add(atUs: number, run: () => void): Timer {
    const timer = { atUs, run };
    this.#timers.add(timer);
    return timer;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) if (earliest === undefined || timer.atUs < earliest.atUs) earliest = timer;
    return earliest;
  }
}

/** Lets every promise that is ready be handled. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
