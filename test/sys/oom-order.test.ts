import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const module = fileURLToPath(new URL("../../src/sys/oom-order.js", import.meta.url));

/** In a process of its own: what is raised cannot be lowered again without a privilege. */
function scoreAfter(calls: number): number {
  const script = `
    import { readFileSync } from "node:fs";
    import { offerFirstForMemory } from ${JSON.stringify(module)};
    for (let call = 0; call < ${calls}; call += 1) if (!offerFirstForMemory()) process.exit(1);
    process.stdout.write(readFileSync("/proc/self/oom_score_adj", "utf8"));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

describe("order when memory ends", () => {
  it("is offered by half the scale, up to its end", () => {
    const own = scoreAfter(0);
    assert.equal(scoreAfter(1), Math.min(1000, own + 500));
    assert.equal(scoreAfter(5), 1000);
  });
});
