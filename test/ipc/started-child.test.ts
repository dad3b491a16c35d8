import assert from "node:assert/strict";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { FirstChildren, StartedChild } from "../../src/ipc/started-child.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const obedient = here("../../../test/fixtures/children/obedient.mjs");
const program = here("../../src/main.js");

describe("started children", () => {
  it("are given away once, and ended where nobody took them", async () => {
    const first = new FirstChildren(obedient);
    const vrrp = first.take("vrrp");
    assert.ok(vrrp !== undefined);
    assert.equal(first.take("vrrp"), undefined);
    const checker = first.take("checker");
    assert.ok(checker !== undefined);
    for (const { process } of [vrrp, checker]) process.kill("SIGKILL");

    const left = new FirstChildren(obedient);
    left.end();
    assert.equal(left.take("checker"), undefined);
    // The test run would not end with one of them left.
  });

  for (const role of ["vrrp", "checker"]) {
    it(`end by themselves where the supervisor is gone before they have loaded: ${role}`, async () => {
      const child = new StartedChild(program, ["internal", role]);
      const ended = once(child.process, "exit");
      child.process.disconnect();
      assert.deepEqual(await ended, [0, null]);
    });
  }
});
