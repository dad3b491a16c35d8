// lab-needs: ipvs
// The demo does what it says: its words are for people, its numbers are judged here.
import assert from "node:assert/strict";
import { type DemoFacts, runDemo, TAKEOVER_MS } from "./support/demo.ts";

/** In a guest that translates instructions a takeover itself takes a while; failover.lab.ts holds the exact bound. */
const SLOW_MACHINE_MS = 1000;

describe("the demo", () => {
  let facts: DemoFacts;
  const said: string[] = [];

  before(async function () {
    this.timeout(240_000);
    facts = await runDemo((line = "") => {
      said.push(line);
    });
  });

  for (const method of ["nat", "dr", "tun"] as const) {
    it(`${method}: every server answers in proportion to its weight`, () => {
      assert.deepEqual(Object.fromEntries(facts.answers.get(method) ?? []), { rs1: 5, rs2: 10, rs3: 15 });
    });
  }

  it("without one server the others share its part", () => {
    const { rs1 = 0, rs3 = 0, ...others } = Object.fromEntries(facts.withoutOne);
    assert.deepEqual(others, {});
    assert.equal(rs1 + rs3, 30);
    assert.ok(rs3 > rs1);
  });

  it("the second director serves on, after a gap within the protocol's bound", () => {
    assert.deepEqual(Object.fromEntries(facts.afterTakeover), { rs1: 5, rs2: 10, rs3: 15 });
    assert.ok(facts.gap.lost > 0, "the cut was not felt");
    const allowedMs = TAKEOVER_MS + facts.gap.stallMs + SLOW_MACHINE_MS;
    assert.ok(facts.gap.gapMs <= allowedMs, `gap ${facts.gap.gapMs} ms, allowed ${allowedMs} ms`);
  });

  it("shows the tables as ipvsadm prints them", () => {
    for (const word of ["Masq", "Route", "Tunnel"])
      assert.ok(
        said.some((line) => line.includes(word)),
        word,
      );
  });
});
