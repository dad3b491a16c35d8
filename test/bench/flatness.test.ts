import assert from "node:assert/strict";
import fc from "fast-check";
import { growthOf } from "../../bench/leak/flatness.ts";

const line = (count: number, bytesEach: number) =>
  Array.from({ length: count }, (_, index) => ({ at: index * 1_000, bytes: 10_000_000 + index * 1_000 * bytesEach }));

describe("growth of what a process holds", () => {
  it("is the slope of a line, whatever the line", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 40 }), fc.integer({ min: -100, max: 100 }), (count, bytesEach) => {
        const growth = growthOf(line(count, bytesEach));
        assert.ok(Math.abs(growth.bytesEach - bytesEach) < 1e-6);
        assert.ok(Math.abs(growth.bytes - bytesEach * 1_000 * (count - 1)) < 1e-3);
      }),
    );
  });

  it("does not take a few collections that come late for growth", () => {
    const samples = line(21, 0).map((sample, index) =>
      [7, 15, 20].includes(index) ? { ...sample, bytes: sample.bytes + 5_000_000 } : sample,
    );
    assert.equal(growthOf(samples).bytes, 0);
  });

  it("sees a small leak through noise", () => {
    const samples = line(21, 50).map((sample, index) => ({ ...sample, bytes: sample.bytes + (index % 3) * 100_000 }));
    const { bytesEach } = growthOf(samples);
    assert.ok(bytesEach > 35 && bytesEach < 65, String(bytesEach));
  });
});
