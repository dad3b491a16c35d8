import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import type { ProcessRequest } from "../../src/ports/process-runner.ts";
import { SystemProcessRunner } from "../../src/sys/process-runner.ts";

const never = new AbortController().signal;

function shell(script: string, options: Partial<ProcessRequest> = {}): ProcessRequest {
  return {
    command: ["/bin/sh", "-c", script],
    env: { PATH: "/usr/bin:/bin" },
    maxOutputBytes: 4096,
    killGraceMs: 200,
    ...options,
  };
}

/** Whether a process exists and is not a zombie. */
function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return false;
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("process runner", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-runner-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A pid that a script writes to `folder/name`. */
  async function pidIn(name: string): Promise<number> {
    const path = join(folder, name);
    await until(() => existsSync(path) && readFileSync(path, "utf8").endsWith("\n"), `${name} is written`);
    return Number(readFileSync(path, "utf8"));
  }

  it("tells exit code and output, and gives exactly the environment asked for", async () => {
    const runner = new SystemProcessRunner();
    const request: ProcessRequest = { ...shell(""), command: ["/usr/bin/env"], env: { A: "1", B: "x y" } };
    assert.deepEqual(await runner.run(request, never), { type: "exited", code: 0, stdout: "A=1\nB=x y\n" });
    assert.deepEqual(await runner.run(shell("exit 7"), never), { type: "exited", code: 7, stdout: "" });
    assert.equal(runner.running, 0);
  });

  it("makes programs nicer than this one, and what they start", async () => {
    const stop = new AbortController();
    const script = `echo $$ >${folder}/leader; sleep 60 & echo $! >${folder}/started; wait`;
    const running = new SystemProcessRunner().run(shell(script), stop.signal);
    const [leader, started] = [await pidIn("leader"), await pidIn("started")];
    const nice = Math.min(19, getPriority() + 10);
    await until(() => getPriority(leader) === nice, "the program gives way");
    assert.ok([nice, getPriority()].includes(getPriority(started)), "started before or after");
    stop.abort();
    await running;
  });

  it("keeps the first bytes of a long output and does not stall its writer", async () => {
    const request = shell("head -c 1000000 /dev/zero | tr '\\0' a; echo end >&2", { maxOutputBytes: 10 });
    const outcome = await new SystemProcessRunner().run(request, never);
    assert.deepEqual(outcome, { type: "exited", code: 0, stdout: "aaaaaaaaaa" });
  });

  it("does not use a shell", async () => {
    const request: ProcessRequest = { ...shell(""), command: ["/bin/echo", "$HOME;", "`id`"] };
    const outcome = await new SystemProcessRunner().run(request, never);
    assert.deepEqual(outcome, { type: "exited", code: 0, stdout: "$HOME; `id`\n" });
  });

  it("tells the signal that ended a program, and why one cannot be started", async () => {
    const runner = new SystemProcessRunner();
    assert.deepEqual(await runner.run(shell("kill -9 $$"), never), { type: "signalled", signal: "SIGKILL" });
    for (const program of [join(folder, "missing"), folder]) {
      const outcome = await runner.run({ ...shell(""), command: [program] }, never);
      assert.match(outcome.type === "failed" ? outcome.message : "", /ENOENT|EACCES/);
    }
    const outcome = await runner.run({ ...shell(""), command: ["/bin/echo", "a\0b"] }, never);
    assert.equal(outcome.type, "failed");
    assert.equal(runner.running, 0);
  });

  it("starts nothing when the signal has aborted already", async () => {
    const outcome = await new SystemProcessRunner().run(shell(`echo > ${folder}/ran`), AbortSignal.abort());
    assert.deepEqual(outcome, { type: "aborted" });
    assert.equal(existsSync(join(folder, "ran")), false);
  });

  it("resolves at once when aborted; program and grandchild that ignore SIGTERM are gone after the grace", async () => {
    const runner = new SystemProcessRunner();
    const controller = new AbortController();
    const script = `trap '' TERM; (sleep 600; sleep 600) & echo $! > ${folder}/grandchild
      echo $$ > ${folder}/leader; while :; do wait; done`;
    const running = runner.run(shell(script, { killGraceMs: 150 }), controller.signal);
    const grandchild = await pidIn("grandchild");
    const leader = await pidIn("leader");
    const abortedAt = performance.now();
    controller.abort();
    assert.deepEqual(await running, { type: "aborted" });
    assert.ok(lives(leader) && lives(grandchild), "SIGTERM alone did not end them");
    assert.equal(runner.running, 1);
    await until(() => !lives(leader) && !lives(grandchild), "both are gone");
    assert.ok(performance.now() - abortedAt >= 149, "they had their grace");
    await until(() => runner.running === 0, "the program is reaped");
    assert.equal(existsSync(`/proc/${leader}`), false, "no zombie");
  });

  it("ends a program that obeys SIGTERM without waiting for the grace", async () => {
    const runner = new SystemProcessRunner();
    const controller = new AbortController();
    const script = `echo $$ > ${folder}/leader; exec sleep 600`;
    const running = runner.run(shell(script, { killGraceMs: 600_000 }), controller.signal);
    const leader = await pidIn("leader");
    controller.abort();
    await running;
    await until(() => !lives(leader) && runner.running === 0, "it is gone");
  });

  it("ends what a program leaves in the background", async () => {
    const outcome = await new SystemProcessRunner().run(shell("sleep 600 & echo $!"), never);
    const grandchild = Number(outcome.type === "exited" ? outcome.stdout : "");
    assert.ok(grandchild > 1);
    await until(() => !lives(grandchild), "the grandchild is gone");
  });

  it("does not wait for a descendant in another session that keeps the pipe open", async () => {
    const startedAt = performance.now();
    const script = `setsid sh -c 'echo $$ > ${folder}/stranger; exec sleep 600' &
      while [ ! -s ${folder}/stranger ]; do :; done; echo done`;
    const outcome = await new SystemProcessRunner().run(shell(script), never);
    process.kill(await pidIn("stranger"), "SIGKILL");
    assert.deepEqual(outcome, { type: "exited", code: 0, stdout: "done\n" });
    assert.ok(performance.now() - startedAt < 4_000);
  });

  it("kills everything at once when told that this process ends", async () => {
    const runner = new SystemProcessRunner();
    const script = `trap '' TERM; echo $$ > ${folder}/leader; while :; do sleep 600; done`;
    const running = runner.run(shell(script), never);
    const leader = await pidIn("leader");
    runner.killAll();
    assert.deepEqual(await running, { type: "signalled", signal: "SIGKILL" });
    await until(() => !lives(leader), "it is gone");
  });

  it("keeps many programs apart", async () => {
    const runner = new SystemProcessRunner();
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const outcomes = await Promise.all(
      numbers.map((n) => runner.run(shell(`echo ${n}; exit ${n}`), new AbortController().signal)),
    );
    assert.deepEqual(
      outcomes,
      numbers.map((n) => ({ type: "exited", code: n, stdout: `${n}\n` })),
    );
  });
});
