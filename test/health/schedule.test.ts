import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/properties.ts";
import { advanceSchedule, catchUp, dueUs, startSchedule } from "../../src/health/schedule.ts";

describe("health/schedule", () => {
  it("draws the anchor once, inside the first interval", () => {
    assert.equal(dueUs(startSchedule(1_000, 100, 0)), 1_000);
    assert.equal(dueUs(startSchedule(1_000, 100, 0.5)), 1_050);
    assert.equal(dueUs(startSchedule(1_000, 100, 1 - Number.EPSILON)), 1_099);
    assert.throws(() => startSchedule(0, 100, 1));
    assert.throws(() => startSchedule(0, 0, 0.5));
  });

  /** An anchor at 1000 every 100: the time at which slot 0 is done -> next due, missed. */
  const rows: readonly [string, number, number, number][] = [
    ["at once", 1_000, 1_100, 0],
    ["a little late", 1_030, 1_100, 0],
    ["exactly at the next slot", 1_100, 1_100, 0],
    ["just after the next slot, which it uses late", 1_101, 1_100, 0],
    ["a tenth of the interval after the next slot", 1_110, 1_100, 0],
    ["later than that", 1_111, 1_200, 1],
    ["just after the next but one", 1_205, 1_200, 1],
    ["far too late", 1_555, 1_600, 5],
    ["before its own slot (not run)", 990, 1_100, 0],
  ];
  for (const [name, nowUs, next, missed] of rows) {
    it(`done ${name}: next at ${next}, ${missed} missed`, () => {
      const moved = advanceSchedule(startSchedule(1_000, 100, 0), nowUs);
      assert.equal(dueUs(moved.schedule), next);
      assert.equal(moved.missed, missed);
    });
  }

  const waits: readonly [number, number, number][] = [
    [1_100, 1_100, 0],
    [1_101, 1_100, 0],
    [1_199, 1_100, 0],
    [1_200, 1_200, 1],
    [1_555, 1_500, 4],
  ];
  for (const [nowUs, slot, missed] of waits) {
    it(`having waited until ${nowUs}, it waits on in the slot of ${slot}, ${missed} missed`, () => {
      const moved = catchUp(startSchedule(1_000, 100, 0), nowUs);
      assert.deepEqual([dueUs(moved.schedule), moved.missed], [slot, missed]);
    });
  }

  it("late wake-ups and slow attempts never shift the cadence, and no slot is used twice", () => {
    const delays = fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 50 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        delays,
        (interval, draw, late) => {
          let schedule = startSchedule(0, interval, draw);
          const anchor = dueUs(schedule);
          let doneUs = 0;
          let used = 0;
          let missed = 0;
          for (const delay of late) {
            const due = dueUs(schedule);
            assert.equal((due - anchor) % interval, 0);
            assert.ok(due >= doneUs - interval / 10, "an attempt would begin before the last one was done");
            doneUs = Math.max(due, doneUs) + delay;
            const moved = advanceSchedule(schedule, doneUs);
            assert.ok(dueUs(moved.schedule) - doneUs <= interval, "waits longer than one interval");
            used += 1;
            missed += moved.missed;
            schedule = moved.schedule;
          }
          assert.equal(schedule.slot, used + missed);
        },
      ),
    );
  });
});
