import assert from "node:assert/strict";
import { RateMeter } from "../../src/health/rate-meter.ts";

const SECOND = 1_000_000;

describe("health/rate-meter", () => {
  it("averages over whole seconds, fewer right after the start", () => {
    const meter = new RateMeter(100 * SECOND);
    assert.deepEqual(meter.read(100.5 * SECOND), { perSecond: 0, maxLateUs: 0 });
    for (let i = 0; i < 40; i++) meter.note(100 * SECOND + i * 100_000, 0);
    assert.equal(meter.read(104 * SECOND).perSecond, 10);
    assert.equal(meter.read(104.9 * SECOND).perSecond, 10);
    assert.equal(meter.read(108 * SECOND).perSecond, 5);
  });

  it("forgets what is older than its window", () => {
    const meter = new RateMeter(0);
    meter.note(1 * SECOND, 70);
    meter.note(2 * SECOND, 30);
    assert.deepEqual(meter.read(11 * SECOND), { perSecond: 0.2, maxLateUs: 70 });
    assert.deepEqual(meter.read(12 * SECOND), { perSecond: 0.1, maxLateUs: 30 });
    assert.deepEqual(meter.read(13 * SECOND), { perSecond: 0, maxLateUs: 0 });
    meter.note(1_000 * SECOND, 5);
    assert.deepEqual(meter.read(1_001 * SECOND), { perSecond: 0.1, maxLateUs: 5 });
  });
});
