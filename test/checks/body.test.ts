import assert from "node:assert/strict";
import fc from "fast-check";
import { type BodyMatcher, ContainsMatcher, PatternMatcher } from "../../src/checks/body-matcher.ts";
import { BodyPattern, type PatternEngine } from "../../src/checks/body-pattern.ts";
import type { Outcome } from "../../src/checks/outcome.ts";
import "../support/properties.ts";

function feed(matcher: BodyMatcher, chunks: readonly string[]): Outcome {
  for (const chunk of chunks) {
    const progress = matcher.push(Buffer.from(chunk));
    if (progress.type === "decided") return progress.outcome;
  }
  return matcher.end();
}

describe("checks/body", () => {
  it("contains and matches find what the first bytes hold, however the body is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 });
    const chunks = fc.array(letters, { maxLength: 20 });
    const text = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(chunks, text, fc.integer({ min: 1, max: 40 }), (pieces, needle, maxBytes) => {
        const expected = pieces.join("").slice(0, maxBytes).includes(needle);
        assert.equal(feed(new ContainsMatcher(needle, maxBytes), pieces).passed, expected);
        assert.equal(feed(new PatternMatcher(new BodyPattern(needle), maxBytes), pieces).passed, expected);
      }),
      { numRuns: 300 },
    );
  });

  it("a thousand pieces of one byte are one body", () => {
    const pieces = ["x", ..."y".repeat(1_000), "z"];
    assert.equal(feed(new PatternMatcher(new BodyPattern("^xy{1000}z$"), 65_536), pieces).passed, true);
  });

  it("matches characters, not bytes", () => {
    assert.equal(feed(new PatternMatcher(new BodyPattern("^gr.n$"), 100), ["grün"]).passed, true);
    assert.equal(feed(new ContainsMatcher("ü", 100), ["grün"]).passed, true);
  });

  it("a pattern that backtracks without end is stopped, and rests before it is tried again", () => {
    const pattern = new BodyPattern("^(a+)+$");
    const bad = `${"a".repeat(60)}!`;
    const startMs = performance.now();
    assert.equal(pattern.test(bad, 0), "slow");
    assert.ok(performance.now() - startMs < 2_000);
    assert.equal(pattern.test("a", 4_999), "slow", "it was run again too early");
    assert.equal(pattern.test("a", 5_000), "found");
    const outcome = feed(new PatternMatcher(new BodyPattern("^(a+)+$"), 100), [bad]);
    assert.equal(outcome.passed === false && outcome.reason, "body_pattern_slow");
  });

  it("a match that was cut short while the machine stalled is tried again", () => {
    let runs = 0;
    let cpuMs = 0;
    const engine = (stalls: number, cpuPerRunMs: number): PatternEngine => ({
      run: () => {
        runs += 1;
        cpuMs += cpuPerRunMs;
        if (runs <= stalls) throw new Error("timed out");
        return true;
      },
      cpuMs: () => cpuMs,
    });
    assert.equal(new BodyPattern("a", engine(2, 1)).test("a", 0), "found", "twice without a processor");
    runs = 0;
    assert.equal(new BodyPattern("a", engine(99, 1)).test("a", 0), "slow");
    assert.equal(runs, 3, "but not without end");
    runs = 0;
    assert.equal(new BodyPattern("a", engine(99, 50)).test("a", 0), "slow");
    assert.equal(runs, 1, "a pattern that was really busy is not run again");
  });
});
