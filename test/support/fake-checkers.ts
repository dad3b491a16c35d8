import { bySignal, type CheckTarget } from "../../src/checks/checker.ts";
import type { CheckerFactory } from "../../src/checks/checker-factory.ts";
import { fail, type Outcome, pass } from "../../src/checks/outcome.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Answer {
  /** null = never, until aborted. */
  readonly afterUs: number | null;
  readonly outcome: Outcome;
  /** Ignores the abort too. */
  readonly isDeaf?: boolean;
}

export const PASS: Answer = { afterUs: 0, outcome: pass("fine") };
export const REFUSE: Answer = { afterUs: 0, outcome: fail("connect_refused", "refused") };
export const HANG: Answer = { afterUs: null, outcome: pass("never seen") };
export const TIMED_OUT = fail("timeout", "nothing came");

export interface Start {
  readonly atUs: number;
  readonly target: CheckTarget;
}

/** Checkers whose servers answer as the test says, at instants of a VirtualTime; notes every attempt. */
export class FakeCheckers {
  readonly starts: Start[] = [];
  readonly #time: VirtualTime;
  answer: (target: CheckTarget) => Answer = () => PASS;
  /** Attempts under way, and the most there were at once. */
  running = 0;
  maxRunning = 0;
  aborted = 0;
  closed = 0;
  overlaps = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  readonly factory: CheckerFactory = (_check, target) => {
    let isRunning = false;
    return bySignal({
      attempt: (signal) => {
        if (isRunning) this.overlaps += 1;
        isRunning = true;
        this.running += 1;
        this.maxRunning = Math.max(this.maxRunning, this.running);
        this.starts.push({ atUs: this.#time.nowUs(), target });
        const { afterUs, outcome, isDeaf = false } = this.answer(target);
        return new Promise((resolve) => {
          const end = (result: Outcome) => {
            isRunning = false;
            this.running -= 1;
            resolve(result);
          };
          const cancel = afterUs === null ? () => {} : this.#time.after(afterUs, () => end(outcome));
          signal.addEventListener("abort", () => {
            this.aborted += 1;
            if (isDeaf) return;
            cancel();
            end(TIMED_OUT);
          });
        });
      },
      close: () => {
        this.closed += 1;
      },
    });
  };

  /** Instants at which attempts on a port began. */
  startsOf(port: number): readonly number[] {
    return this.starts.filter(({ target }) => target.port === port).map(({ atUs }) => atUs);
  }
}
