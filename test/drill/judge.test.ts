import assert from "node:assert/strict";
import fc from "fast-check";
import { findings, spanOf } from "../../src/drill/judge.ts";
import { defaultLimits, limitsWith } from "../../src/drill/limits.ts";
import type { Sample, Span } from "../../src/drill/model.ts";
import { drawAnswers } from "../../src/drill/timeline.ts";

const EVERY = 10_000;

/** One question each 10 ms; `fate` says how long the answer takes, null = none. */
function asked(
  count: number,
  fate: (id: number) => number | null = () => 200,
  sent = (id: number) => id * EVERY,
): Sample[] {
  return Array.from({ length: count }, (_, id) => ({ id, sentUs: sent(id), tookUs: fate(id), reason: "" }));
}

describe("drill: what a probe saw", () => {
  it("nothing happens: the gap is the pace", () => {
    assert.deepEqual(spanOf(asked(100), 200_000, 500_000, EVERY), {
      sent: 30,
      failed: 0,
      gapUs: EVERY,
      gapFromUs: 190_200,
      stallUs: 0,
      steadyUs: 0,
    } satisfies Span);
  });

  it("a gap reaches from the last answer to the next, whoever was asked in between", () => {
    const samples = asked(200, (id) => (id >= 50 && id < 90 ? null : 200));
    const span = spanOf(samples, 495_000, 1_500_000, EVERY);
    assert.deepEqual(
      [span.failed, span.gapUs, span.gapFromUs, span.steadyUs, span.stallUs],
      [40, 410_000, 490_200, 900_200 - 495_000, 0],
    );
  });

  it("a gap belongs to the part of the drill in which it ends", () => {
    const samples = asked(200, (id) => (id >= 50 && id < 90 ? null : 200));
    assert.equal(spanOf(samples, 600_000, 1_500_000, EVERY).gapUs, 410_000);
    assert.equal(spanOf(samples, 901_000, 1_500_000, EVERY).gapUs, EVERY);
  });

  it("late answers count in the order of their arrival", () => {
    // Questions 50 to 89 wait for the new master and are answered when it is there.
    const samples = asked(200, (id) => (id >= 50 && id < 90 ? 900_000 - id * EVERY : 200));
    const span = spanOf(samples, 495_000, 1_500_000, EVERY);
    assert.deepEqual([span.failed, span.gapUs, span.steadyUs], [0, 900_000 - 490_200, 900_000 - 495_000]);
  });

  it("a silence that does not end lasts until the end, and is not steady", () => {
    const span = spanOf(
      asked(100, (id) => (id < 50 ? 200 : null)),
      495_000,
      999_000,
      EVERY,
    );
    assert.deepEqual([span.gapUs, span.steadyUs], [999_000 - 490_200, null]);
  });

  it("what the prober stood still is named, and interrupts nothing", () => {
    const samples = asked(100, undefined, (id) => id * EVERY + (id >= 50 ? 80_000 : 0));
    const span = spanOf(samples, 100_000, 900_000, EVERY);
    assert.deepEqual([span.gapUs, span.stallUs, span.steadyUs], [90_000, 80_000, 0]);
    const limits = { maxGapUs: 20_000, maxFailed: 0, maxSteadyUs: 0, maxReturnGapUs: 0 };
    assert.deepEqual(findings({ limits, event: span, back: null }), []);
  });

  it("a single failure is steady again with the next answer", () => {
    const span = spanOf(
      asked(100, (id) => (id === 50 ? null : 200)),
      400_000,
      900_000,
      EVERY,
    );
    assert.deepEqual([span.failed, span.gapUs, span.steadyUs], [1, 20_000, 510_200 - 400_000]);
  });

  it("no answer at all", () => {
    const span = spanOf(
      asked(10, () => null),
      0,
      100_000,
      EVERY,
    );
    assert.deepEqual([span.sent, span.failed, span.gapUs, span.steadyUs], [10, 10, 100_000, null]);
    assert.deepEqual(spanOf([], 0, 100_000, EVERY).sent, 0);
  });

  it("holds for any answers: the gap is within the samples, and no failure is forgotten", () => {
    const fate = fc.option(fc.integer({ min: 0, max: 500_000 }), { nil: null });
    fc.assert(
      fc.property(fc.array(fate, { minLength: 2, maxLength: 60 }), fc.nat(300_000), (fates, fromUs) => {
        const samples = asked(fates.length, (id) => fates[id] ?? null);
        const toUs = fromUs + 400_000;
        const span = spanOf(samples, fromUs, toUs, EVERY);
        assert.ok(span.gapUs >= 0 && span.gapFromUs + span.gapUs <= toUs);
        assert.ok(span.failed <= span.sent && span.stallUs >= 0);
        assert.ok(span.steadyUs === null || (span.steadyUs >= 0 && span.steadyUs <= toUs - fromUs));
      }),
    );
  });
});

describe("drill: judgement", () => {
  const limits = defaultLimits("takeover", { advertIntervalUs: 1_000_000, everyUs: EVERY, peerPriority: 100 });
  const fine: Span = { sent: 400, failed: 300, gapUs: 3_650_000, gapFromUs: 0, stallUs: 0, steadyUs: 3_660_000 };

  it("derives limits from the protocol", () => {
    assert.deepEqual(limits, {
      maxGapUs: 3_000_000 + 609_375 + 50_000 + 2 * EVERY,
      maxFailed: 368,
      maxSteadyUs: 3_679_375 + 1_000_000,
      maxReturnGapUs: 1_040_000,
    });
    const slowest = defaultLimits("takeover", { advertIntervalUs: 1_000_000, everyUs: EVERY, peerPriority: null });
    assert.ok(slowest.maxGapUs > limits.maxGapUs, "an unknown peer may be the slowest");
    const handover = defaultLimits("handover", { advertIntervalUs: 40_950_000, everyUs: EVERY, peerPriority: null });
    assert.equal(handover.maxGapUs, 40_000, "a handover costs the same at every interval");
  });

  it("lets a longer gap that was asked for hold more questions, and answers be steady a second after it", () => {
    const longer = { maxGapUs: 5_000_000, maxFailed: 500, maxSteadyUs: 6_000_000, maxReturnGapUs: 1_040_000 };
    assert.deepEqual(limitsWith({ maxGapUs: 5_000_000 }, limits, EVERY), longer);
    assert.deepEqual(limitsWith({ maxGapUs: 1_000_000 }, limits, EVERY), { ...limits, maxGapUs: 1_000_000 });
    assert.deepEqual(limitsWith({ maxSteadyUs: 0, maxFailed: 3 }, limits, EVERY), {
      ...limits,
      maxSteadyUs: 0,
      maxFailed: 3,
    });
  });

  it("passes what is within the limits", () => {
    assert.deepEqual(findings({ limits, event: fine, back: { ...fine, gapUs: 15_000, steadyUs: 0 } }), []);
  });

  it("names every limit that was passed", () => {
    const event: Span = { ...fine, failed: 390, gapUs: 3_900_000, stallUs: 2_000, steadyUs: 5_000_000 };
    assert.deepEqual(findings({ limits, event, back: { ...fine, gapUs: 2_000_000, steadyUs: null } }), [
      "the gap was 3.9s, of at most 3.679s (the prober itself stood still for 2ms)",
      "390 of 400 questions had no answer, of at most 368",
      "answers were steady after 5s, of at most 4.679s",
      "the return cost 2s, of at most 1.04s",
      "answers did not become steady after the return",
    ]);
  });
});

describe("drill: the gap drawn", () => {
  it("shows each question where it was asked", () => {
    const samples = asked(100, (id) => (id >= 50 && id < 90 ? null : 200));
    assert.deepEqual(drawAnswers(samples, { fromUs: 490_200, toUs: 900_200, everyUs: EVERY }), [
      `########${"x".repeat(40)}##########`,
      `        |${"-".repeat(40)}| 410ms`,
      "a character is 10ms; # answered, x not, / some of both",
    ]);
  });

  it("draws a long gap on one line, and an instant as a mark", () => {
    const long = drawAnswers(
      asked(20_000, (id) => (id > 500 && id < 18_000 ? null : 200)),
      {
        fromUs: 5_000_000,
        toUs: 180_000_000,
        everyUs: EVERY,
      },
    );
    assert.ok(
      long.every((line) => line.length < 90),
      long.join("\n"),
    );
    assert.match(long[2] ?? "", /a character is 5s/);
    assert.match(drawAnswers(asked(100), { fromUs: 500_000, toUs: 500_000, everyUs: EVERY })[1] ?? "", /^ {8}\^ 0s$/);
    assert.equal(drawAnswers([], { fromUs: 0, toUs: 0, everyUs: EVERY })[0], "");
  });
});
