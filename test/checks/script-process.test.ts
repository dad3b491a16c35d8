import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../../src/checks/outcome.ts";
import { ScriptChecker } from "../../src/checks/script.ts";
import { SystemProcessRunner } from "../../src/sys/process-runner.ts";
import { scriptCheck, target } from "../support/check-configs.ts";
import { shownUnder } from "../support/document-parts.ts";

describe("checks/script with real programs", () => {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const runner = new SystemProcessRunner();
  after(() => {
    runner.killAll();
    rmSync(dir, { recursive: true });
  });

  function script(name: string, text: string): string {
    const path = join(dir, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  }

  function attempt(command: readonly [string, ...string[]], signal = new AbortController().signal): Promise<Outcome> {
    const check = scriptCheck({ command, setsWeight: true });
    return new ScriptChecker({ check, target: target(8080) }, runner).attempt(signal);
  }

  it("passes with the weight that a script prints, by what it finds in its environment", async () => {
    const path = script("weight.sh", 'echo "$HOLDFAST_SERVICE $HOLDFAST_ADDRESS $1"; echo "weight=$HOLDFAST_PORT"');
    assert.deepEqual(await attempt([path, "a b; exit 1"]), {
      passed: true,
      weight: 8080,
      detail: `${path} exited with 0: web 127.0.0.1 a b; exit 1 weight=8080`,
    });
  });

  it("inherits nothing of this process's environment", async () => {
    process.env.HOLDFAST_TEST_SECRET = "secret";
    try {
      const outcome = await attempt(["/usr/bin/env"]);
      assert.match(outcome.detail, /PATH=/);
      const file = join(dir, "env");
      await attempt([script("env.sh", `env > ${file}`)]);
      const names = readFileSync(file, "utf8")
        .split("\n")
        .map((line) => line.split("=")[0] ?? "");
      const ours = names.filter((name) => name !== "" && !["PWD", "SHLVL", "OLDPWD", "_"].includes(name));
      const expected = ["ADDRESS", "CHECK", "FAMILY", "PORT", "SERVICE"].map((name) => `HOLDFAST_${name}`);
      assert.deepEqual(ours.toSorted(), [...expected, "PATH"]);
    } finally {
      delete process.env.HOLDFAST_TEST_SECRET;
    }
  });

  it("an exit code from 2 on is a weight, 1 is down, a missing program says so", async () => {
    assert.deepEqual(await attempt([script("code.sh", "exit 12")]), {
      passed: true,
      weight: 10,
      detail: `${join(dir, "code.sh")} exited with 12`,
    });
    const down = await attempt([script("down.sh", "echo full; exit 1")]);
    assert.deepEqual([down.passed, "reason" in down && down.reason], [false, "script_exit"]);
    const missing = await attempt([join(dir, "missing.sh")]);
    assert.deepEqual([missing.passed, "reason" in missing && missing.reason], [false, "script_start"]);
  });

  it("the script of docs/checks.md: weight by load, never less than 1; down when the page does not answer", async () => {
    const asked = join(dir, "asked");
    /** @param page what stands for the server's answer, in the place of curl */
    const byLoad = (name: string, page: string) =>
      attempt([
        script(name, `curl() { echo "$*" >> ${asked}; ${page}; }\n${shownUnder("docs/checks.md", /^Run a script$/)}`),
      ]);
    for (const [load, weight] of [
      [0, 100],
      [30, 70],
      [99, 1],
      [250, 1],
    ] as const) {
      const outcome = await byLoad("load.sh", `echo ${load}`);
      assert.deepEqual([outcome.passed, outcome.passed && outcome.weight], [true, weight], outcome.detail);
    }
    const silent = await byLoad("silent.sh", "return 28");
    assert.deepEqual([silent.passed, "reason" in silent && silent.reason], [false, "script_exit"], silent.detail);
    const lines = readFileSync(asked, "utf8").trimEnd().split("\n");
    assert.deepEqual([...new Set(lines)], ["-fsS -m 2 http://127.0.0.1:8080/load"]);
  });

  it("a script that says too much is read in part", async () => {
    const outcome = await attempt([script("loud.sh", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo weight=5")]);
    assert.deepEqual([outcome.passed, outcome.passed && outcome.weight], [true, undefined]);
  });

  it("a script that ignores SIGTERM: timeout at once, and it is gone soon after", async () => {
    const started = join(dir, "started");
    const deadline = new AbortController();
    const isStarted = new Promise<void>((resolve) => {
      const watcher = watch(dir, () => {
        if (!existsSync(started) || readFileSync(started, "utf8") === "") return;
        watcher.close();
        resolve();
      });
    });
    const path = script("deaf.sh", `trap '' TERM\necho $$ > ${started}\nwhile :; do sleep 1; done`);
    const outcome = attempt([path], deadline.signal);
    await isStarted;
    deadline.abort();
    const ended = await outcome;
    assert.deepEqual([ended.passed, "reason" in ended && ended.reason], [false, "timeout"]);
    assert.match(ended.detail, /deaf\.sh did not end within 500ms/);
    const pid = Number(readFileSync(started, "utf8"));
    const untilMs = performance.now() + 5_000;
    while (existsSync(`/proc/${pid}`) && performance.now() < untilMs) await new Promise((next) => setImmediate(next));
    assert.ok(!existsSync(`/proc/${pid}`), "the script still runs");
  });
});
