import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram, NO_SPREAD, SPREAD_TIERS_US } from "../../src/base/histogram.ts";

function spreadOf(values: readonly number[]) {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram.spread();
}

describe("histogram of durations", () => {
  it("is all zero without values", () => {
    assert.deepEqual(spreadOf([]), NO_SPREAD);
  });

  it("tells small values exactly, and the largest of all", () => {
    assert.deepEqual(spreadOf([3, 3, 15, 1_234_567]), {
      count: 4,
      sumUs: 1_234_588,
      within: [3, 3, 3, 3, 3, 3, 3],
      p50Us: 3,
      p99Us: 1_234_567,
      p999Us: 1_234_567,
      maxUs: 1_234_567,
    });
  });

  it("holds one outlier in a thousand apart from the 99th percentile", () => {
    const values = [...Array.from({ length: 999 }, () => 10), 50_000];
    const { p50Us, p99Us, p999Us, maxUs } = spreadOf(values);
    assert.deepEqual([p50Us, p99Us, p999Us, maxUs], [10, 10, 10, 50_000]);
  });

  it("counts exactly how many values stay within each tier, the tier itself included", () => {
    const { count, sumUs, within } = spreadOf(SPREAD_TIERS_US.flatMap((tierUs) => [tierUs, tierUs + 1]));
    assert.deepEqual(within, [1, 3, 5, 7, 9, 11, 13]);
    assert.equal(count, 14);
    assert.equal(sumUs, 2 * SPREAD_TIERS_US.reduce((sum, us) => sum + us, 0) + 7);
  });

  it("takes what is beyond an hour for the largest value it knows", () => {
    assert.equal(spreadOf([2 ** 40]).maxUs, 2 ** 32 - 1);
    assert.throws(() => spreadOf([-1]));
  });

  it("is never too low and at most an eighth too high", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 300 }), (values) => {
        const sorted = [...values].sort((a, b) => a - b);
        const spread = spreadOf(values);
        for (const [share, told] of [
          [0.5, spread.p50Us],
          [0.99, spread.p99Us],
          [0.999, spread.p999Us],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
          assert.ok(told >= exact && told <= exact * 1.125, `${share}: told ${told}, exact ${exact}`);
        }
        assert.equal(spread.maxUs, sorted.at(-1));
      }),
    );
  });
});
