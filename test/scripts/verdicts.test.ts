import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Counts = { passed: number; failed: number; skipped: number };
type Failure = { file: string; title: string; message: string };
type Run = Counts & { files: Record<string, Counts>; failures: Failure[] };
type Verdicts = {
  runWithoutCounts(what: string): Run;
  scenariosToRepeat(run: Run): string[];
  withSecondRun(first: Run, scenario: string, second: Run): { run: Run; unsteady: Failure[] };
  failureLine(failure: Failure): string;
};

const failure = (scenario: string, title: string): Failure => ({
  file: `${scenario}.lab.js`,
  title,
  message: "late\nmore",
});

function run(files: Record<string, [passed: number, failures: string[]]>): Run {
  const entries = Object.entries(files).map(([name, [passed, failures]]) => ({
    file: `${name}.lab.js`,
    counts: { passed, failed: failures.length, skipped: 0 },
    failures: failures.map((title) => failure(name, title)),
  }));
  return {
    passed: entries.reduce((sum, { counts }) => sum + counts.passed, 0),
    failed: entries.reduce((sum, { counts }) => sum + counts.failed, 0),
    skipped: 0,
    files: Object.fromEntries(entries.map(({ file, counts }) => [file, counts])),
    failures: entries.flatMap(({ failures }) => failures),
  };
}

describe("verdicts over runs of the lab", () => {
  let verdicts: Verdicts;
  before(async () => {
    verdicts = (await import(pathToFileURL(join(process.cwd(), "scripts/lab/verdicts.mjs")).href)) as Verdicts;
  });

  it("repeats scenarios that failed, if they are few", () => {
    const first = run({ a: [3, []], b: [2, ["b late"]], c: [0, ["c hook"]] });
    assert.deepEqual(verdicts.scenariosToRepeat(first), ["b", "c"]);
    const many = run({ a: [3, ["x"]], b: [2, ["y"]], c: [0, ["z"]] });
    assert.deepEqual(verdicts.scenariosToRepeat(many), []);
    assert.deepEqual(verdicts.scenariosToRepeat(verdicts.runWithoutCounts("a, b")), []);
  });

  it("takes the second run in place of the first, and names what failed only once", () => {
    const first = run({ a: [3, ["a broken"]], b: [2, ["b late", "b wrong"]] });
    const { run: merged, unsteady } = verdicts.withSecondRun(first, "b", run({ b: [3, ["b wrong"]] }));
    assert.deepEqual(merged, run({ a: [3, ["a broken"]], b: [3, ["b wrong"]] }));
    assert.deepEqual(unsteady, [failure("b", "b late")]);
  });

  it("counts what failed only the second time, and a second run that left nothing", () => {
    const first = run({ b: [2, ["b late"]] });
    const other = verdicts.withSecondRun(first, "b", run({ b: [2, ["b other"]] }));
    assert.equal(other.run.failed, 1);
    assert.deepEqual(other.unsteady, [failure("b", "b late")]);
    const lost = verdicts.withSecondRun(first, "b", verdicts.runWithoutCounts("b"));
    assert.deepEqual([lost.run.passed, lost.run.failed], [0, 1]);
    assert.equal(lost.run.failures.length, 1);
  });

  it("a failure is one line", () => {
    assert.equal(verdicts.failureLine(failure("b", "b late")), "b late: late");
  });
});
