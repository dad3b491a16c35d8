import assert from "node:assert/strict";
import { type CheckStanding, decide, isSameDecision } from "../../src/health/weights.ts";

const REMOVE = { weight: 10, onDown: "remove" } as const;
const QUIESCE = { weight: 10, onDown: "quiesce" } as const;

function up(name: string, scriptWeight: number | null = null): CheckStanding {
  return { name, verdict: "up", reason: "fine", scriptWeight };
}
function down(name: string, scriptWeight: number | null = null): CheckStanding {
  return { name, verdict: "down", reason: `${name} is broken`, scriptWeight };
}
function unknown(name: string): CheckStanding {
  return { name, verdict: "unknown", reason: "", scriptWeight: null };
}

describe("health/weights", () => {
  const rows: readonly [string, typeof REMOVE | typeof QUIESCE, CheckStanding[], [string, boolean, number, RegExp]][] =
    [
      ["no checks", REMOVE, [], ["up", true, 10, /no checks/]],
      ["one up", REMOVE, [up("tcp")], ["up", true, 10, /all checks pass/]],
      ["all up", QUIESCE, [up("tcp"), up("http")], ["up", true, 10, /all checks pass/]],
      ["one of two down", REMOVE, [up("tcp"), down("http")], ["down", false, 0, /^http fails: http is broken$/]],
      ["two down", REMOVE, [down("tcp"), down("http")], ["down", false, 0, /tcp is broken; http fails/]],
      ["down, quiesced", QUIESCE, [up("tcp"), down("http")], ["down", true, 0, /http is broken/]],
      ["unknown", REMOVE, [unknown("tcp")], ["unknown", false, 0, /first result of tcp/]],
      ["unknown, quiesced", QUIESCE, [unknown("tcp")], ["unknown", true, 0, /first result of tcp/]],
      ["one known, one not", REMOVE, [up("tcp"), unknown("http")], ["unknown", false, 0, /first result of http/]],
      ["down beats unknown", REMOVE, [down("tcp"), unknown("http")], ["down", false, 0, /tcp is broken/]],
      [
        "a script's weight replaces the configured one",
        REMOVE,
        [up("load", 25)],
        ["up", true, 25, /load sets weight 25/],
      ],
      ["the lowest script weight", REMOVE, [up("a", 7), up("tcp"), up("b", 3)], ["up", true, 3, /b sets weight 3/]],
      ["a script's weight 0 keeps it present", REMOVE, [up("a", 0), up("b", 3)], ["up", true, 0, /a sets weight 0/]],
      ["a script's weight does not outvote a failure", REMOVE, [up("a", 7), down("tcp")], ["down", false, 0, /tcp/]],
    ];
  for (const [name, policy, checks, [verdict, present, weight, why]] of rows) {
    it(name, () => {
      const decision = decide(policy, checks);
      assert.deepEqual([decision.verdict, decision.present, decision.weight], [verdict, present, weight]);
      assert.match(decision.why, why);
    });
  }

  it("the configured weight 0 stays 0 and present", () => {
    assert.deepEqual(decide({ weight: 0, onDown: "remove" }, [up("tcp")]).present, true);
  });

  it("two decisions are the same when verdict, presence and weight are", () => {
    const a = decide(REMOVE, [down("tcp")]);
    assert.ok(isSameDecision(a, { ...a, why: "another sentence" }));
    assert.ok(!isSameDecision(a, { ...a, verdict: "unknown" }));
    assert.ok(!isSameDecision(a, { ...a, present: true }));
    assert.ok(!isSameDecision(a, { ...a, weight: 1 }));
  });
});
