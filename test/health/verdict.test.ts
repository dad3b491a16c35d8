import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/properties.ts";
import { initialVerdict, stepVerdict, type Verdict, type VerdictState } from "../../src/health/verdict.ts";

const CONFIG = { rise: 2, fall: 3 };

function state(verdict: Verdict, against: number, isAssumed = false): VerdictState {
  return { verdict, against, isAssumed, sinceUs: 5, reason: "before" };
}

describe("health/verdict", () => {
  /** Every state × event cell: verdict, assumed, outcomes against it -> what becomes of it. */
  const cells: readonly [VerdictState, "passed" | "failed", Verdict, number][] = [
    [state("unknown", 0), "passed", "up", 0],
    [state("unknown", 0), "failed", "down", 0],
    [state("up", 0), "passed", "up", 0],
    [state("up", 0), "failed", "up", 1],
    [state("up", 1), "passed", "up", 0],
    [state("up", 1), "failed", "up", 2],
    [state("up", 2), "passed", "up", 0],
    [state("up", 2), "failed", "down", 0],
    [state("up", 0, true), "passed", "up", 0],
    [state("up", 0, true), "failed", "up", 1],
    [state("up", 2, true), "passed", "up", 0],
    [state("up", 2, true), "failed", "down", 0],
    [state("down", 0), "passed", "down", 1],
    [state("down", 0), "failed", "down", 0],
    [state("down", 1), "passed", "up", 0],
    [state("down", 1), "failed", "down", 0],
  ];
  for (const [from, event, to, against] of cells) {
    const name = `${from.verdict}${from.isAssumed ? " (assumed)" : ""}, ${from.against} against: ${event}`;
    it(`${name} -> ${to}, ${against} against`, () => {
      const step = stepVerdict(CONFIG, from, { type: event, nowUs: 9, reason: "now" });
      assert.equal(step.state.verdict, to);
      assert.equal(step.state.against, against);
      if (from.verdict === to) {
        assert.deepEqual(step.actions, []);
        assert.equal(step.state.sinceUs, 5);
        assert.equal(step.state.reason, "before");
        assert.equal(step.state.isAssumed, from.isAssumed && event === "failed");
      } else {
        assert.deepEqual(step.actions, [{ type: "verdictChanged", from: from.verdict, to, atUs: 9, reason: "now" }]);
        assert.equal(step.state.sinceUs, 9);
        assert.equal(step.state.reason, "now");
        assert.equal(step.state.isAssumed, false);
      }
    });
  }

  it("begins unknown, or up when the kernel already served from it", () => {
    assert.equal(initialVerdict(false, 7).verdict, "unknown");
    const assumed = initialVerdict(true, 7);
    assert.deepEqual([assumed.verdict, assumed.isAssumed, assumed.sinceUs], ["up", true, 7]);
  });

  it("flapping input never changes a verdict faster than rise and fall allow", () => {
    const outcomes = fc.array(fc.boolean(), { maxLength: 200 });
    const count = fc.integer({ min: 1, max: 10 });
    fc.assert(
      fc.property(count, count, fc.boolean(), outcomes, (rise, fall, isAssumedUp, passes) => {
        let current = initialVerdict(isAssumedUp, 0);
        // The oracle counts runs of equal outcomes by itself.
        let run = 0;
        passes.forEach((passed, index) => {
          run = index > 0 && passes[index - 1] === passed ? run + 1 : 1;
          const before = current.verdict;
          const step = stepVerdict({ rise, fall }, current, {
            type: passed ? "passed" : "failed",
            nowUs: index + 1,
            reason: "",
          });
          current = step.state;
          if (before === "unknown") assert.equal(current.verdict, passed ? "up" : "down");
          else if (before !== current.verdict) assert.ok(run >= (passed ? rise : fall), `changed after ${run}`);
          else if (passed !== (before === "up")) assert.ok(run < (passed ? rise : fall), `did not change after ${run}`);
          assert.equal(step.actions.length, before === current.verdict ? 0 : 1);
        });
      }),
    );
  });
});
