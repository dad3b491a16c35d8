import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mock } from "node:test";
import { fileURLToPath } from "node:url";
import { ChildKeeper, type ChildKeeperOptions } from "../../src/app/child-keeper.ts";
import { ChildHandle } from "../../src/ipc/child-handle.ts";
import { StartedChild } from "../../src/ipc/started-child.ts";
import type { LogEntry } from "../../src/ports/logger.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/children", import.meta.url));

/** Keepers of the test that runs. */
const made: ChildKeeper<unknown, unknown, number>[] = [];

/** A keeper over one of the fixture programs; `events` emits what it reports. */
function keeperOf(
  program: string,
  stopDeadlineMs = 5_000,
  replyTimeoutMs = 5_000,
  watch: Pick<ChildKeeperOptions, "askEveryMs" | "frozenAfter" | "first"> = { askEveryMs: 60_000, frozenAfter: 8 },
) {
  const events = new EventEmitter();
  const log: LogEntry[] = [];
  const keeper = new ChildKeeper<unknown, unknown, number>(
    { name: "checker", program: join(fixtures, program), args: [], replyTimeoutMs, stopDeadlineMs, ...watch },
    { first: true },
    {
      onState: (entries) => events.emit("state", entries),
      onConfigured: (outcome, restarts) => events.emit("configured", outcome, restarts),
      onGone: () => events.emit("gone"),
    },
    { log: (entry) => log.push(entry) },
  );
  made.push(keeper);
  return { keeper, events, log };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe("child keeper", () => {
  // Also after a failure: with a child left the test run would never end.
  afterEach(async () => {
    for (const keeper of made.splice(0)) await keeper.stop();
  });

  it("starts, configures, asks and stops a child", async () => {
    const { keeper, events } = keeperOf("obedient.mjs");
    assert.equal(keeper.status().state, "starting");
    keeper.start();
    const [outcome, restarts] = await once(events, "configured");
    assert.deepEqual([outcome, restarts], [{ ok: true, value: { first: true } }, 0]);
    assert.equal(keeper.status().state, "running");
    assert.deepEqual(await keeper.configure({ second: true }), { ok: true, value: { second: true } });
    assert.deepEqual(await keeper.command("echo", 7), { ok: true, value: 7 });
    await keeper.stop();
    assert.deepEqual(keeper.status(), { name: "checker", state: "stopped", pid: null, restarts: 0 });
  });

  it("restarts a child that was killed, with the latest configuration, and says so", async () => {
    const { keeper, events, log } = keeperOf("obedient.mjs");
    keeper.start();
    await once(events, "configured");
    await keeper.configure({ latest: true });
    const gone = once(events, "gone");
    const back = once(events, "configured");
    const answer = await keeper.command("die", null);
    assert.ok(!answer.ok && answer.code === "CHILD_FAILED", "who waits for an answer is told");
    await gone;
    assert.equal(keeper.status().state, "restarting");
    const configured = keeper.configure({ latest: "still" });
    const [outcome, restarts] = await back;
    assert.deepEqual(await configured, outcome, "a reload waits for the start that it falls into");
    assert.deepEqual([outcome, restarts], [{ ok: true, value: { latest: "still" } }, 1]);
    assert.equal(keeper.status().restarts, 1);
    assert.ok(
      log.some(
        ({ level, message }) =>
          level === "error" && message === "the checker process ended by signal SIGKILL; restart 1 in 100ms",
      ),
    );
    await keeper.stop();
  });

  describe("with a child that runs already", () => {
    const begun = () => new StartedChild(join(fixtures, "obedient.mjs"), []);
    const watchOf = (first: StartedChild) => {
      const waiting = [first];
      return { askEveryMs: 60_000, frozenAfter: 8, first: () => waiting.shift() };
    };

    it("configures that one, however long it has been ready, and starts its successor itself", async () => {
      const first = begun();
      await once(first.process, "spawn");
      const { keeper, events } = keeperOf("obedient.mjs", 5_000, 5_000, watchOf(first));
      keeper.start();
      assert.equal(keeper.status().pid, first.process.pid);
      await once(events, "configured");
      const back = once(events, "configured");
      void keeper.command("die", null);
      assert.deepEqual(await back, [{ ok: true, value: { first: true } }, 1]);
      assert.notEqual(keeper.status().pid, first.process.pid);
    });

    it("replaces it where it has ended before it was taken", async () => {
      const first = begun();
      first.process.kill("SIGKILL");
      await once(first.process, "close");
      const { keeper, events, log } = keeperOf("obedient.mjs", 5_000, 5_000, watchOf(first));
      keeper.start();
      assert.deepEqual(await once(events, "configured"), [{ ok: true, value: { first: true } }, 1]);
      assert.ok(
        log.some(({ message }) => message === "the checker process ended by signal SIGKILL; restart 1 in 100ms"),
      );
    });
  });

  it("gives a restarted child what was prepared for it while none ran", async () => {
    const { keeper, events } = keeperOf("obedient.mjs");
    keeper.start();
    await once(events, "configured");
    events.once("gone", () => keeper.prepare({ first: true, resting: ["web4"] }));
    const back = once(events, "configured");
    void keeper.command("die", null);
    const [outcome] = await back;
    assert.deepEqual(outcome, { ok: true, value: { first: true, resting: ["web4"] } });
    await keeper.stop();
  });

  it("tells facts, and all of them again to a restarted child before its configuration", async () => {
    const { keeper, events } = keeperOf("obedient.mjs");
    const told = new Map<string, unknown>();
    events.on("state", (entries: readonly [string, unknown][]) => {
      for (const [key, value] of entries) told.set(key, value);
    });
    keeper.tell([["early", 1]]);
    keeper.start();
    await once(events, "configured");
    assert.deepEqual(told.get("facts then"), [["early", 1]]);
    const heard = once(events, "state");
    keeper.tell([
      ["early", null],
      ["late", 2],
    ]);
    await heard;
    assert.deepEqual(told.get("facts"), [
      ["early", 1],
      ["early", null],
      ["late", 2],
    ]);
    const back = once(events, "configured");
    await keeper.command("die", null);
    await back;
    assert.deepEqual(told.get("facts then"), [["late", 2]]);
    await keeper.stop();
  });

  it("a child that is just taking its first configuration gets the next one too", async () => {
    const { keeper, events } = keeperOf("slow.mjs");
    keeper.start();
    const first = once(events, "configured");
    await once(events, "state");
    const second = await keeper.configure({ second: true });
    assert.deepEqual(await first, [{ ok: true, value: { first: true } }, 0]);
    assert.deepEqual(second, { ok: true, value: { second: true } });
    await keeper.stop();
  });

  it("a restarted child that cannot take its configuration is tried again", async () => {
    const { keeper, events } = keeperOf("moody.mjs");
    keeper.start();
    await once(events, "configured");
    await keeper.configure({ refuse: true });
    const refused = once(events, "configured");
    void keeper.command("die", null);
    const [outcome] = await refused;
    assert.deepEqual(outcome, { ok: false, code: "OWN_FAULT", message: "not in the mood" });
    assert.notEqual(keeper.status().state, "running");
    const [again, restarts] = await once(events, "configured");
    assert.deepEqual([again.ok, restarts], [false, 2]);
    void keeper.configure({ refuse: false });
    for (;;) {
      const [last] = await once(events, "configured");
      if (last.ok) break;
    }
    assert.equal(keeper.status().state, "running");
    await keeper.stop();
  });

  it("says whether a child ended by itself or may have left something behind", async () => {
    const good = keeperOf("obedient.mjs");
    good.keeper.start();
    await once(good.events, "configured");
    assert.equal(await good.keeper.stop(), true);
    const killed = keeperOf("obedient.mjs");
    killed.keeper.start();
    await once(killed.events, "configured");
    const gone = once(killed.events, "gone");
    void killed.keeper.command("die", null);
    await gone;
    assert.equal(await killed.keeper.stop(), false);
    assert.equal(killed.keeper.status().state, "stopped");
    assert.ok(!(await killed.keeper.configure({})).ok, "who asks a stopped one is told");
  });

  it("bounds the wait for an answer", async () => {
    const { keeper, events } = keeperOf("obedient.mjs", 5_000, 300);
    keeper.start();
    await once(events, "configured");
    const answer = await keeper.command("silence", null);
    assert.ok(!answer.ok && answer.code === "REPLY_TIMEOUT");
    await keeper.stop();
  });

  it("notices a frozen child, and that it goes on", async () => {
    const { keeper, events, log } = keeperOf("obedient.mjs", 5_000, 5_000, { askEveryMs: 100, frozenAfter: 100_000 });
    keeper.start();
    await once(events, "configured");
    const pid = keeper.status().pid ?? 0;
    process.kill(pid, "SIGSTOP");
    while (keeper.status().state !== "silent") await nextTurn();
    process.kill(pid, "SIGCONT");
    while (keeper.status().state !== "running") await nextTurn();
    assert.deepEqual(
      log.map(({ message }) => message),
      ["the checker process does not answer", "the checker process answers again"],
    );
    assert.equal(keeper.status().restarts, 0);
    await keeper.stop();
  });

  it("says of a child that not even a kill ends that nobody attends to it", async () => {
    const { keeper, events } = keeperOf("obedient.mjs", 5_000, 5_000, { askEveryMs: 100, frozenAfter: 5 });
    keeper.start();
    await once(events, "configured");
    const { pid } = keeper.status();
    assert.ok(pid !== null);
    assert.equal(keeper.isAttended(), true);
    // As a process does that waits in the kernel for a disk.
    const kill = mock.method(ChildHandle.prototype, "kill", () => undefined);
    process.kill(pid, "SIGSTOP");
    while (keeper.isAttended()) await nextTurn();
    assert.equal(kill.mock.callCount(), 1);
    kill.mock.restore();
    const gone = once(events, "gone");
    process.kill(pid, "SIGKILL");
    await gone;
    await once(events, "configured");
    assert.equal(keeper.isAttended(), true);
    await keeper.stop();
  });

  it("kills a child that stays frozen, and starts another", async () => {
    const { keeper, events, log } = keeperOf("obedient.mjs", 5_000, 5_000, { askEveryMs: 100, frozenAfter: 5 });
    keeper.start();
    await once(events, "configured");
    const { pid } = keeper.status();
    const gone = once(events, "gone");
    process.kill(pid ?? 0, "SIGSTOP");
    await gone;
    assert.match(
      log.map(({ message }) => message).join("\n"),
      /has not answered for too long; killed\n.* by signal SIGKILL/,
    );
    await keeper.stop();
    assert.notEqual(keeper.status().pid, pid);
  });

  it("kills a child that does not stop", async () => {
    const { keeper, events, log } = keeperOf("stubborn.mjs", 100);
    keeper.start();
    await once(events, "configured");
    await keeper.stop();
    assert.equal(keeper.status().state, "stopped");
    assert.ok(log.some(({ message }) => message.includes("did not stop within 100 ms; killed")));
  });

  it("hears a child's last words before it counts as stopped, however many", async () => {
    const { keeper, events, log } = keeperOf("talkative.mjs");
    keeper.start();
    await once(events, "configured");
    await keeper.stop();
    assert.equal(log.length, 2_000);
    assert.equal(log.at(-1)?.message, "word 2000");
  });

  it("a signal to the process group of the terminal does not reach a child", async () => {
    const { keeper, events } = keeperOf("obedient.mjs");
    keeper.start();
    await once(events, "configured");
    const { pid } = keeper.status();
    const group = Number(/\) \S+ \d+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
    assert.equal(group, pid, "it leads a group of its own");
    await keeper.stop();
  });

  it("stops while a restart is pending", async () => {
    const { keeper, events } = keeperOf("obedient.mjs");
    keeper.start();
    await once(events, "configured");
    const gone = once(events, "gone");
    void keeper.command("die", null);
    await gone;
    await keeper.stop();
    assert.equal(keeper.status().pid, null);
  });
});
