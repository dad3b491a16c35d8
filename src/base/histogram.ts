import { assert } from "./assert.ts";

/** Linear steps within each doubling: a value is told at most 1/8 too high. */
const STEPS = 8;
/** 2^32 µs is over an hour: whatever is later counts there. */
const MAX_VALUE = 2 ** 32 - 1;
/** Values below 2 × STEPS have a bucket each; every doubling above them has STEPS. */
const BUCKETS = bucketOf(MAX_VALUE) + 1;

/** Microseconds; how many values stay under each is told exactly, for who adds up several processes or compares times. */
export const SPREAD_TIERS_US = [100, 1_000, 5_000, 10_000, 50_000, 100_000, 1_000_000] as const;

/** How values are spread; all 0 as long as there are none. Quantiles are up to 1/8 too high, the rest is exact. */
export interface Spread {
  readonly count: number;
  readonly sumUs: number;
  /** How many values are at most SPREAD_TIERS_US, one number a tier. */
  readonly within: readonly number[];
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export const NO_SPREAD: Spread = {
  count: 0,
  sumUs: 0,
  within: SPREAD_TIERS_US.map(() => 0),
  p50Us: 0,
  p99Us: 0,
  p999Us: 0,
  maxUs: 0,
};

/** Counts durations in buckets that grow with the value: a fixed 240 numbers, however many values there are. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #within = SPREAD_TIERS_US.map(() => 0);
  #count = 0;
  #sumUs = 0;
  #maxUs = 0;

  /** @param us 0 or more, microseconds; fractions are dropped */
  record(us: number): void {
    assert(us >= 0, `a duration of ${us} µs`);
    const value = Math.min(MAX_VALUE, Math.floor(us));
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sumUs += value;
    for (let tier = SPREAD_TIERS_US.length - 1; tier >= 0 && value <= (SPREAD_TIERS_US[tier] ?? 0); tier--)
      this.#within[tier] = (this.#within[tier] ?? 0) + 1;
    this.#maxUs = Math.max(this.#maxUs, value);
  }

  spread(): Spread {
    if (this.#count === 0) return NO_SPREAD;
    return {
      count: this.#count,
      sumUs: this.#sumUs,
      within: [...this.#within],
      p50Us: this.#quantile(0.5),
      p99Us: this.#quantile(0.99),
      p999Us: this.#quantile(0.999),
      maxUs: this.#maxUs,
    };
  }

  /** The value that at most this share of the values stays under or equals (nearest rank), by its bucket's upper end. */
  #quantile(share: number): number {
    const rank = Math.ceil(share * this.#count);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.#maxUs, highestOf(bucket));
    }
    return this.#maxUs;
  }
}

function bucketOf(value: number): number {
  if (value < 2 * STEPS) return value;
  const doubling = 31 - Math.clz32(value) - Math.log2(STEPS);
  return doubling * STEPS + (value >>> doubling);
}

/** The largest value of a bucket. */
function highestOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const doubling = Math.floor(bucket / STEPS) - 1;
  return ((bucket % STEPS) + STEPS + 1) * 2 ** doubling - 1;
}
