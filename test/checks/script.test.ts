import assert from "node:assert/strict";
import { ScriptChecker } from "../../src/checks/script.ts";
import type { ProcessOutcome, ProcessRequest } from "../../src/ports/process-runner.ts";
import { scriptCheck, target } from "../support/check-configs.ts";

/** Runs the checker against a runner that ends like this; returns what it asked for, too. */
async function attempt(ending: ProcessOutcome, setsWeight: boolean) {
  const requests: ProcessRequest[] = [];
  const check = scriptCheck({ command: ["/opt/load.sh", "a b"], setsWeight });
  const checker = new ScriptChecker(
    { check, target: target(8080, { service: "web", check: "script", address: "2001:db8::1", family: 6 }) },
    {
      run: (request) => {
        requests.push(request);
        return Promise.resolve(ending);
      },
    },
  );
  return { outcome: await checker.attempt(new AbortController().signal), request: requests[0] };
}

function exited(code: number, stdout = ""): ProcessOutcome {
  return { type: "exited", code, stdout };
}

describe("checks/script", () => {
  it("hands over the command as it is, and an environment of exactly these variables", async () => {
    const { request } = await attempt(exited(0), false);
    assert.deepEqual(request?.command, ["/opt/load.sh", "a b"]);
    assert.deepEqual(request?.env, {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOLDFAST_SERVICE: "web",
      HOLDFAST_CHECK: "script",
      HOLDFAST_ADDRESS: "2001:db8::1",
      HOLDFAST_PORT: "8080",
      HOLDFAST_FAMILY: "6",
    });
  });

  /** Ending, setsWeight -> passed or the reason, weight. */
  const rows: readonly [ProcessOutcome, boolean, string, number | undefined][] = [
    [exited(0), false, "passed", undefined],
    [exited(1), false, "script_exit", undefined],
    [exited(2), false, "script_exit", undefined],
    [exited(127), false, "script_exit", undefined],
    [exited(0, "weight=5"), false, "passed", undefined],
    [exited(0), true, "passed", undefined],
    [exited(1), true, "script_exit", undefined],
    [exited(1, "weight=5"), true, "script_exit", undefined],
    [exited(2), true, "passed", 0],
    [exited(12), true, "passed", 10],
    [exited(255), true, "passed", 253],
    [exited(0, "weight=0\n"), true, "passed", 0],
    [exited(0, "load is low\nweight=65535\n"), true, "passed", 65_535],
    [exited(0, "weight=3\nweight=4\n"), true, "passed", 4],
    [exited(12, "weight=3"), true, "passed", 3],
    [exited(0, "weight=7\r\n"), true, "passed", 7],
    [exited(0, "the weight=7"), true, "passed", undefined],
    [exited(0, "weight=65536"), true, "script_weight", undefined],
    [exited(0, "weight=-1"), true, "script_weight", undefined],
    [exited(0, "weight=1.5"), true, "script_weight", undefined],
    [exited(0, "weight="), true, "script_weight", undefined],
    [exited(0, "weight=5\nweight=x"), true, "script_weight", undefined],
    [{ type: "signalled", signal: "SIGSEGV" }, true, "script_signal", undefined],
    [{ type: "aborted" }, false, "timeout", undefined],
    [{ type: "failed", message: "ENOENT" }, false, "script_start", undefined],
  ];
  for (const [ending, setsWeight, expected, weight] of rows) {
    it(`${JSON.stringify(ending)}${setsWeight ? " with weight: true" : ""} -> ${expected} ${weight ?? ""}`, async () => {
      const { outcome } = await attempt(ending, setsWeight);
      assert.equal(outcome.passed ? "passed" : outcome.reason, expected);
      assert.equal(outcome.passed ? outcome.weight : undefined, weight);
    });
  }

  it("quotes what the script said on one bounded line", async () => {
    const { outcome } = await attempt(exited(1, `disk\nfull\x1b[31m${"!".repeat(4_000)}`), false);
    assert.match(outcome.detail, /^\/opt\/load\.sh exited with 1: disk full \[31m!+…$/);
    assert.ok(outcome.detail.length < 200);
  });
});
