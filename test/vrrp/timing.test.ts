import assert from "node:assert/strict";
import fc from "fast-check";
import { csToUs, masterDownUs, skewUs, usToCs } from "../../src/vrrp/timing.ts";

describe("vrrp timing", () => {
  /** Take-over times measured on keepalived, to the microsecond that the formula gives. */
  const MEASURED = [
    { priority: 100, cs: 100, skew: 609_375, down: 3_609_375 },
    { priority: 200, cs: 100, skew: 218_750, down: 3_218_750 },
    { priority: 100, cs: 10, skew: 60_938, down: 360_938 },
    { priority: 254, cs: 1, skew: 79, down: 30_079 },
    { priority: 100, cs: 4095, skew: 24_953_907, down: 147_803_907 },
  ];
  for (const { priority, cs, skew, down } of MEASURED) {
    it(`priority ${priority} at ${cs} cs`, () => {
      assert.equal(skewUs(priority, csToUs(cs)), skew);
      assert.equal(masterDownUs(priority, csToUs(cs)), down);
    });
  }

  it("gives the higher priority the shorter wait, always", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 254 }), fc.integer({ min: 1, max: 4095 }), (priority, cs) => {
        assert.ok(masterDownUs(priority + 1, csToUs(cs)) < masterDownUs(priority, csToUs(cs)));
      }),
    );
  });

  it("keeps the unit exact", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 4095 }), (cs) => assert.equal(usToCs(csToUs(cs)), cs)));
    assert.throws(() => usToCs(12_345), /centiseconds/);
  });

  it("refuses a priority that no backup can have", () => {
    assert.throws(() => skewUs(0, 1_000_000), /priority out of range/);
    assert.throws(() => skewUs(256, 1_000_000), /priority out of range/);
  });
});
