import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Counts = { passed: number; failed: number; skipped: number };
type Failure = { file: string; title: string; message: string };
type Run = Counts & { files: Record<string, Counts>; failures: Failure[] };
type Part = Counts & { failures: Failure[]; unsteady?: Failure[] };
type Summary = {
  pass(): void;
  fail(name: string, reason: string): string;
  take(name: string, part: Part): void;
  readonly isGood: boolean;
  lines(): string[];
};
type WithSecondRun = (first: Run, scenario: string, second: Run) => { run: Run; unsteady: Failure[] };

const scripts = (path: string) => import(pathToFileURL(join(process.cwd(), "scripts", path)).href);
const failure = (scenario: string, title: string): Failure => ({ file: `${scenario}.lab.js`, title, message: "late" });

/** A run of one scenario. */
function runOf(scenario: string, passed: number, ...titles: string[]): Run {
  const counts = { passed, failed: titles.length, skipped: 0 };
  const file = `${scenario}.lab.js`;
  return { ...counts, files: { [file]: counts }, failures: titles.map((title) => failure(scenario, title)) };
}

describe("the end of `npm test`", () => {
  let summary: Summary;
  let withSecondRun: WithSecondRun;

  beforeEach(async () => {
    const module = (await scripts("summary.mjs")) as { Summary: new () => Summary };
    summary = new module.Summary();
    ({ withSecondRun } = (await scripts("lab/verdicts.mjs")) as { withSecondRun: WithSecondRun });
  });

  it("is the sum of all suites, and nothing else, where all is well", () => {
    summary.pass();
    summary.take("unit", { passed: 7, failed: 0, skipped: 1, failures: [] });
    assert.deepEqual(summary.lines(), ["8 passed, 0 failed, 1 skipped"]);
    assert.equal(summary.isGood, true);
  });

  it("is no success without a test that passed", () => assert.equal(summary.isGood, false));

  it("names each test that failed once, whatever came of the others in the second run; the sum counts that run", () => {
    const first = runOf("crash", 4, "one is late", "two is late", "three is broken");
    const again = withSecondRun(first, "crash", runOf("crash", 6, "three is broken"));
    const hook = withSecondRun(runOf("drill", 0, "drill before hook"), "drill", runOf("drill", 3));
    summary.take("lab", { ...again.run, unsteady: again.unsteady });
    summary.take("lab, Node 24", { ...hook.run, unsteady: hook.unsteady });
    assert.equal(summary.fail("lint", "exit 1"), "lint: exit 1");
    assert.deepEqual(summary.lines(), [
      "",
      "failed once, and not when run again:",
      "  lab: one is late: late",
      "  lab: two is late: late",
      "  lab, Node 24: drill before hook: late",
      "",
      "failed:",
      "  lab: three is broken: late",
      "  lint: exit 1",
      "9 passed, 2 failed, 0 skipped",
    ]);
    assert.equal(summary.isGood, false);
  });

  it("every failure of a first run is in one list or the other", () => {
    const titles = ["a", "b", "c", "d"];
    for (let mask = 0; mask < 1 << titles.length; mask += 1) {
      const stays = titles.filter((_, bit) => (mask >> bit) % 2 === 1);
      const { run, unsteady } = withSecondRun(runOf("x", 1, ...titles), "x", runOf("x", 5 - stays.length, ...stays));
      const told = [...run.failures, ...unsteady].map(({ title }) => title);
      assert.deepEqual(told.sort(), titles);
    }
  });
});
