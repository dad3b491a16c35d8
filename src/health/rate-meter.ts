import { MICROSECONDS_PER_SECOND } from "../base/duration.ts";

/** Whole seconds that a figure looks back. */
const WINDOW_S = 10;

interface Bucket {
  second: number;
  count: number;
  maxLateUs: number;
}

export interface RateReading {
  /** Events per second over the last ten whole seconds (fewer right after the start). */
  readonly perSecond: number;
  /** The greatest lateness noted in that time. */
  readonly maxLateUs: number;
}

/** Counts events and their lateness in one-second buckets; memory is one bucket per second of the window. */
export class RateMeter {
  readonly #buckets: Bucket[] = Array.from({ length: WINDOW_S + 1 }, () => ({ second: -1, count: 0, maxLateUs: 0 }));
  readonly #startSecond: number;

  constructor(startUs: number) {
    this.#startSecond = Math.floor(startUs / MICROSECONDS_PER_SECOND);
  }

  note(nowUs: number, lateUs: number): void {
    const second = Math.floor(nowUs / MICROSECONDS_PER_SECOND);
    const bucket = this.#buckets[second % this.#buckets.length];
    if (bucket === undefined) return;
    if (bucket.second !== second) {
      bucket.second = second;
      bucket.count = 0;
      bucket.maxLateUs = 0;
    }
    bucket.count += 1;
    bucket.maxLateUs = Math.max(bucket.maxLateUs, lateUs);
  }

  read(nowUs: number): RateReading {
    const second = Math.floor(nowUs / MICROSECONDS_PER_SECOND);
    const span = Math.min(WINDOW_S, second - this.#startSecond);
    const recent = this.#buckets.filter((bucket) => bucket.second >= second - WINDOW_S && bucket.second <= second);
    const whole = recent.filter((bucket) => bucket.second < second);
    const count = whole.reduce((sum, bucket) => sum + bucket.count, 0);
    return {
      perSecond: span > 0 ? count / span : 0,
      maxLateUs: recent.reduce((max, bucket) => Math.max(max, bucket.maxLateUs), 0),
    };
  }
}
