import "../support/properties.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DisableOverride,
  type DrainOverride,
  describeOverride,
  EMPTY_LOOKS,
  isExpired,
  letsConnectionsEnd,
  moveWithClock,
  type Override,
  overrideDueMs,
  overrideState,
  overrule,
  stepDrain,
  supersede,
  type WeightOverride,
} from "../../src/health/overrides.ts";
import type { Decision } from "../../src/health/weights.ts";

const COMMON = { sinceMs: 1_000, untilMs: null, reason: null, by: "root" };
const drain = (part: Partial<DrainOverride> = {}): DrainOverride => ({
  ...COMMON,
  type: "drain",
  deadlineMs: null,
  drained: null,
  ...part,
});
const DRAINED = drain({ drained: { atMs: 5_000, cut: 0 } });
const disable = (part: Partial<DisableOverride> = {}): DisableOverride => ({ ...COMMON, type: "disable", ...part });
const weight = (to: number, part: Partial<WeightOverride> = {}): WeightOverride => ({
  ...COMMON,
  type: "weight",
  weight: to,
  ...part,
});

const UP: Decision = { verdict: "up", present: true, weight: 10, why: "all checks pass" };
const DOWN: Decision = { verdict: "down", present: false, weight: 0, why: "tcp fails: refused" };
const QUIET: Decision = { ...DOWN, present: true };
const UNKNOWN: Decision = { verdict: "unknown", present: false, weight: 0, why: "waiting for tcp" };

describe("health/overrides", () => {
  describe("what the table should hold", () => {
    const rows: readonly [string, Override, Decision, "remove" | "quiesce", [boolean, number]][] = [
      ["a draining server stays, for its connections", drain(), UP, "remove", [true, 0]],
      ["a drained one leaves", DRAINED, UP, "remove", [false, 0]],
      ["a drained one leaves a service that quiesces, too", DRAINED, UP, "quiesce", [false, 0]],
      ["a draining one that goes down leaves", drain(), DOWN, "remove", [false, 0]],
      ["a draining one that goes down is quiesced where its service says so", drain(), QUIET, "quiesce", [true, 0]],
      ["a draining one that nobody has seen yet stays out", drain(), UNKNOWN, "remove", [false, 0]],
      ["a disabled one leaves", disable(), UP, "remove", [false, 0]],
      ["a disabled one is quiesced where its service says so", disable(), UP, "quiesce", [true, 0]],
      ["a disabled one that is down stays out", disable(), DOWN, "remove", [false, 0]],
      ["a weight replaces the one of the checks", weight(3), UP, "remove", [true, 3]],
      ["a weight of 0 stays in the table", weight(0), UP, "remove", [true, 0]],
      ["a weight brings no server up", weight(3), DOWN, "remove", [false, 0]],
      ["a weight brings no quiesced server up", weight(3), QUIET, "quiesce", [true, 0]],
      ["a weight brings nothing in that nobody has seen", weight(3), UNKNOWN, "remove", [false, 0]],
    ];
    for (const [name, override, decision, onDown, [present, to]] of rows) {
      it(name, () => {
        const told = overrule(decision, override, onDown, null);
        assert.deepEqual([told.verdict, told.present, told.weight], [decision.verdict, present, to]);
        assert.ok(told.why.endsWith(`; ${decision.why}`), told.why);
      });
    }

    it("is what the checks say without an override", () => {
      assert.equal(overrule(UP, null, "remove", null), UP);
    });

    it("never brings in what the checks keep out, nor gives weight to it", () => {
      const decision = fc.constantFrom(UP, DOWN, QUIET, UNKNOWN);
      const override = fc.constantFrom<Override>(drain(), DRAINED, disable(), weight(0), weight(7));
      fc.assert(
        fc.property(decision, override, (decision, override) => {
          const told = overrule(decision, override, decision.present ? "quiesce" : "remove", 3);
          assert.ok(decision.present || !told.present);
          assert.ok(told.weight === 0 || (decision.verdict === "up" && told.present));
          assert.equal(told.verdict, decision.verdict);
        }),
      );
    });
  });

  describe("says why", () => {
    const rows: readonly [Override, number | null, string, string][] = [
      [drain(), null, "draining", "draining, by root"],
      [drain({ reason: "new kernel" }), 12, "draining", "draining, 12 connections left, by root (new kernel)"],
      [drain(), 1, "draining", "draining, 1 connection left, by root"],
      [DRAINED, 0, "drained", "drained by root"],
      [drain({ drained: { atMs: 1, cut: 2 } }), 2, "drained", "drained, 2 connections cut, by root"],
      [disable({ by: "schedule nightly" }), null, "disabled", "disabled by schedule nightly"],
      [weight(5, { reason: "slow disk" }), null, "weight 5", "weight 5 set by root (slow disk)"],
    ];
    for (const [override, active, state, text] of rows) {
      it(text, () => {
        assert.equal(overrideState(override), state);
        assert.equal(describeOverride(override, active), text);
      });
    }
  });

  describe("from draining to drained", () => {
    const counted = (active: number, emptyLooks: number, sinceMs = COMMON.sinceMs) =>
      ({ type: "counted", nowMs: 9_000, count: { sinceMs, active, emptyLooks } }) as const;
    const tick = (nowMs: number, lastActive = 0) => ({ type: "tick", nowMs, lastActive }) as const;
    const LIMITED = drain({ deadlineMs: 8_000 });

    it("waits while there are connections", () => {
      for (const event of [counted(3, 0), counted(0, EMPTY_LOOKS - 1), tick(1e15)])
        assert.equal(stepDrain(drain(), event).drained, null);
      assert.equal(stepDrain(LIMITED, tick(7_999, 3)).drained, null);
    });

    it("ends when two looks in a row found none", () => {
      assert.deepEqual(stepDrain(drain(), counted(0, EMPTY_LOOKS)).drained, { atMs: 9_000, cut: 0 });
    });

    it("ends at the deadline, and says what that cut", () => {
      assert.deepEqual(stepDrain(LIMITED, tick(8_000, 3)).drained, { atMs: 8_000, cut: 3 });
    });

    it("does not believe a count of an earlier drain", () => {
      assert.equal(stepDrain(drain(), counted(0, EMPTY_LOOKS, 1)).drained, null);
    });

    it("stays drained, whatever comes", () => {
      for (const event of [counted(3, 0), counted(0, EMPTY_LOOKS), tick(1e15, 9)])
        assert.equal(stepDrain(DRAINED, event), DRAINED);
    });

    it("a second drain of a drained server keeps it out, and of another one starts anew", () => {
      const again = drain({ sinceMs: 6_000, reason: "still broken", deadlineMs: 7_000 });
      assert.deepEqual(supersede(DRAINED, again), { ...again, drained: DRAINED.drained });
      for (const before of [null, drain(), disable(), weight(3)]) assert.equal(supersede(before, again), again);
      assert.equal(supersede(DRAINED, weight(3)).type, "weight");
    });
  });

  it("is due at its end or at its deadline, whichever is first", () => {
    assert.equal(overrideDueMs(drain()), null);
    assert.equal(overrideDueMs(drain({ untilMs: 5 })), 5);
    assert.equal(overrideDueMs(drain({ deadlineMs: 6 })), 6);
    assert.equal(overrideDueMs(drain({ untilMs: 7, deadlineMs: 6 })), 6);
    assert.equal(overrideDueMs({ ...DRAINED, untilMs: 7, deadlineMs: 6 }), 7);
    assert.equal(overrideDueMs(weight(1, { untilMs: 7 })), 7);
    assert.ok(isExpired(disable({ untilMs: 7 }), 7));
    assert.ok(!isExpired(disable({ untilMs: 7 }), 6));
    assert.ok(!isExpired(disable(), 1e15));
  });

  it("knows whose connections go on at weight 0", () => {
    assert.deepEqual([drain(), DRAINED, disable(), weight(0), weight(1), null].map(letsConnectionsEnd), [
      true,
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  it("keeps lengths of time when the clock is set, and instants where they are", () => {
    const both = drain({ untilMs: 7_000, deadlineMs: 6_000 });
    assert.deepEqual(moveWithClock(both, 500, true), { ...both, sinceMs: 1_500, untilMs: 7_500, deadlineMs: 6_500 });
    assert.deepEqual(moveWithClock(both, -500, false), { ...both, sinceMs: 500, untilMs: 7_000, deadlineMs: 5_500 });
    assert.deepEqual(moveWithClock(weight(1), 500, true), weight(1, { sinceMs: 1_500 }));
  });
});
