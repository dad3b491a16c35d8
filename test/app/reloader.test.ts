import assert from "node:assert/strict";
import { type LoadedConfig, Reloader, type ReloaderCollaborators } from "../../src/app/reloader.ts";
import { TrialBook } from "../../src/app/trial-book.ts";
import { Trials } from "../../src/app/trials.ts";
import { err, ok } from "../../src/base/result.ts";
import type { ConfigTexts } from "../../src/config/config-texts.ts";
import type { DirectorConfig } from "../../src/config/model.ts";
import { joinPlan, stepOf } from "../../src/plan/model.ts";
import { MemoryLogger, MemoryStore } from "../support/memory-store.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const SECOND = 1_000_000;
const STEP = stepOf("server 10.0.0.1:80", "nat weight 1", null, { cuts: { established: 4, other: 0 } });
const PLAN = joinPlan([{ section: "services", title: "service web", steps: [STEP], notes: [] }], { basis: "" });

/** A configuration whose only content is the name of its node. */
function loadedOf(node: string): LoadedConfig {
  return { config: { node } as DirectorConfig, keys: {}, headerSecrets: {}, warnings: [], texts: textsOf(node) };
}

function textsOf(node: string): ConfigTexts {
  return [{ path: "/etc/x.yaml", text: node }];
}

/** A reloader over a file that holds `b` while `a` is in force. */
function bench(change: Partial<ReloaderCollaborators> = {}, store = new MemoryStore()) {
  const logger = new MemoryLogger();
  const time = new VirtualTime();
  const calls: string[] = [];
  let present = loadedOf("a");
  let file = "b";
  const book = new TrialBook({ store });
  book.load();
  const trials: Trials = new Trials({
    book,
    clock: time,
    alarms: time,
    logger,
    onOver: (cause) => void reloader.undo(cause),
  });
  const reloader: Reloader = new Reloader(
    { file: "/etc/x.yaml" },
    {
      logger,
      trials,
      load: () => {
        calls.push(`load ${file}`);
        return ok(loadedOf(file));
      },
      loadKept: ([first]) => ok(loadedOf(first?.text ?? "")),
      isOnDisk: ([first]) => first?.text === file,
      present: () => present,
      isStopping: () => false,
      plan: async ({ config: { node } }) => {
        calls.push(`plan ${node}`);
        return ok(PLAN);
      },
      apply: async (loaded: LoadedConfig) => {
        calls.push(`apply ${loaded.config.node}`);
        present = loaded;
        return ok({ changes: ["a change"], remaining: [] });
      },
      diff: (before, after) => (before.node === after.node ? [] : [`node ${before.node} -> ${after.node}`]),
      onBegin: () => void calls.push("begin"),
      onEnd: () => void calls.push("end"),
      ...change,
    },
  );
  return {
    reloader,
    trials,
    calls,
    logger,
    time,
    store,
    book,
    node: () => present.config.node,
    lines: () => logger.entries.map(({ level, message }) => `${level}: ${message}`),
    steps: () => logger.entries.flatMap(({ event }) => (event?.type === "reload" ? [event.to] : [])),
    write: (name: string) => {
      file = name;
    },
    /** Lets what was asked for happen. */
    settle: () => time.advanceSettled(0),
  };
}

describe("reloader", () => {
  it("validates, plans, applies, and says what was planned before it was done", async () => {
    const { reloader, calls, lines } = bench();
    const report = await reloader.reload();
    assert.deepEqual(calls, ["begin", "load b", "plan b", "apply b", "end"]);
    const changes = ["node a -> b", "a change"];
    assert.deepEqual(report, ok({ plan: PLAN, changes, remaining: [], warnings: [], confirmBy: null }));
    assert.deepEqual(lines(), [
      "info: plan: - service web: server 10.0.0.1:80: nat weight 1; cuts 4 established connections",
      "notice: plan: 0 to add, 0 to change, 1 to remove; cuts 4 established connections",
      "notice: reloaded: node a -> b",
    ]);
  });

  it("tells of keys and secrets that hold something else, and not what", async () => {
    const holding = (node: string, secret: string): LoadedConfig => ({
      ...loadedOf(node),
      keys: { web4: [{ id: 1, hex: secret }] },
      headerSecrets: { "file /etc/holdfast/check.token": secret, "credential same": "same" },
    });
    const { reloader, lines } = bench({
      load: () => ok(holding("a", "beef")),
      present: () => holding("a", "cafe"),
      diff: () => [],
    });
    await reloader.reload();
    assert.equal(
      lines().at(-1),
      "notice: reloaded: instance web4: contents of the keys changed; file /etc/holdfast/check.token: contents changed, for the headers of checks",
    );
    assert.doesNotMatch(lines().join(), /beef|cafe/);
  });

  it("applies nothing where the daemon was told to stop while it was planned", async () => {
    let isStopping = false;
    const { reloader, calls } = bench({
      isStopping: () => isStopping,
      plan: async () => {
        isStopping = true;
        return ok(PLAN);
      },
    });
    const refused = await reloader.reload();
    assert.ok(!refused.ok && refused.error.code === "CONTROL_REFUSED");
    assert.deepEqual(calls, ["begin", "load b", "end"]);
  });

  it("refuses a broken file and changes nothing, also on trial", async () => {
    const { reloader, calls, lines, trials } = bench({ load: () => err("x.yaml:1:1: bad\nmore") });
    const refused = await reloader.reload({ confirmMs: 60_000 });
    assert.ok(!refused.ok && refused.error.code === "CONFIG_INVALID");
    assert.deepEqual(calls, ["begin", "end"]);
    assert.match(
      lines().join("\n"),
      /reload refused, nothing changed: x\.yaml:1:1: bad \(holdfast check \/etc\/x\.yaml/,
    );
    assert.equal(trials.confirmBy, null);
  });

  it("goes on without a plan, and tells what the kernel did not take", async () => {
    const { reloader, lines } = bench({
      plan: async () => err({ code: "CHILD_FAILED", message: "there is no plan: it starts" }),
      apply: async () => ok({ changes: [], remaining: ["adding service x: no scheduler"] }),
    });
    const report = await reloader.reload();
    assert.ok(report.ok && report.value.plan === null);
    assert.deepEqual(report.value.remaining, ["adding service x: no scheduler"]);
    assert.ok(lines().includes("warning: reload: there is no plan: it starts"));
    assert.ok(lines().includes("error: reload: adding service x: no scheduler"));
  });

  it("answers with all that the kernel did not take, and says the first of it", async () => {
    const remaining = Array.from({ length: 10_000 }, (_, i) => `adding server ${i}: refused`);
    const { reloader, lines } = bench({ apply: async () => ok({ changes: [], remaining }) });
    const report = await reloader.reload();
    assert.ok(report.ok && report.value.remaining.length === 10_000);
    const said = lines().filter((line) => line.startsWith("error: "));
    assert.deepEqual(
      [said.length, said[4], said[5]],
      [6, "error: reload: adding server 4: refused", "error: reload: and 9995 more differences"],
    );
  });

  it("plans without changing anything", async () => {
    const { reloader, calls } = bench();
    assert.deepEqual(await reloader.plan(), ok(PLAN));
    assert.deepEqual(calls, ["load b", "plan b"]);
  });

  it("reads the file again for who asked while a reload was under way, once for all of them", async () => {
    const { reloader, calls, write, settle } = bench();
    const first = reloader.reload();
    while (!calls.includes("load b")) await Promise.resolve();
    write("c");
    const [second, third] = [reloader.reload(), reloader.reload()];
    await Promise.all([first, second, third]);
    await settle();
    assert.deepEqual(
      calls.filter((call) => call.startsWith("apply")),
      ["apply b", "apply c"],
    );
    assert.equal(await second, await third);
  });

  it("answers with the fault where something throws, and goes on afterwards", async () => {
    let isBroken = true;
    const { reloader } = bench({
      load: () => {
        if (isBroken) throw new Error("boom");
        return ok(loadedOf("b"));
      },
    });
    assert.deepEqual(await reloader.reload(), err({ code: "OWN_FAULT", message: "boom" }));
    isBroken = false;
    assert.ok((await reloader.reload()).ok);
  });
});

describe("a reload to be confirmed", () => {
  it("undoes itself in time, and leaves the files alone", async () => {
    const it = bench();
    const report = await it.reloader.reload({ confirmMs: 60_000 });
    assert.ok(report.ok && report.value.confirmBy !== null);
    assert.equal(it.node(), "b");
    await it.time.advanceSettled(59 * SECOND);
    assert.equal(it.node(), "b");
    await it.time.advanceSettled(SECOND);
    assert.equal(it.node(), "a");
    assert.equal(it.trials.confirmBy, null);
    assert.deepEqual(it.trials.rejected, textsOf("b"));
    assert.deepEqual(it.steps(), ["on trial", "applied", "applied", "undone"]);
    assert.match(
      it.lines().at(-1) ?? "",
      /^warning: went back .*: nobody confirmed it within 1m; the files are as they were/,
    );
  });

  it("stays when it is confirmed, once", async () => {
    const it = bench();
    await it.reloader.reload({ confirmMs: 60_000 });
    assert.deepEqual(await it.reloader.confirm(), ok({ state: "confirmed" }));
    await it.time.advanceSettled(120 * SECOND);
    assert.equal(it.node(), "b");
    assert.equal(it.book.trial, null);
    const again = await it.reloader.confirm();
    assert.ok(!again.ok && /no reload waits .*`holdfast events --type reload`/.test(again.error.message));
    assert.ok(!(await it.reloader.undo("x")).ok);
  });

  it("is undone at once when somebody says so", async () => {
    const it = bench();
    await it.reloader.reload({ confirmMs: 60_000 });
    assert.deepEqual(await it.reloader.undo("as ordered"), ok({ state: "undone" }));
    assert.equal(it.node(), "a");
    await it.time.advanceSettled(120 * SECOND);
    assert.deepEqual(it.steps(), ["on trial", "applied", "applied", "undone"]);
  });

  it("covers what is reloaded while it waits, and goes back to where it began; a new time replaces the old", async () => {
    const it = bench();
    await it.reloader.reload({ confirmMs: 60_000 });
    await it.time.advanceSettled(30 * SECOND);
    it.write("c");
    const plain = await it.reloader.reload();
    assert.ok(plain.ok && plain.value.confirmBy !== null, "a reload does not confirm");
    it.write("d");
    await it.reloader.reload({ confirmMs: 60_000 });
    await it.time.advanceSettled(59 * SECOND);
    assert.equal(it.node(), "d");
    await it.time.advanceSettled(SECOND);
    assert.equal(it.node(), "a");
    assert.deepEqual(it.trials.rejected, textsOf("d"));
  });

  it("is applied after all by a reload in person, not by a schedule", async () => {
    const it = bench();
    await it.reloader.reload({ confirmMs: 60_000 });
    await it.time.advanceSettled(60 * SECOND);
    const scheduled = await it.reloader.reload({ confirmMs: null, isScheduled: true });
    assert.ok(!scheduled.ok && /a schedule does not apply it again/.test(scheduled.error.message));
    assert.equal(it.node(), "a");
    await it.reloader.reload();
    assert.deepEqual([it.node(), it.trials.rejected], ["b", null]);

    const other = bench();
    await other.reloader.reload({ confirmMs: 60_000 });
    await other.time.advanceSettled(60 * SECOND);
    other.write("c");
    await other.reloader.reload({ confirmMs: null, isScheduled: true });
    assert.equal(other.node(), "c", "somebody wrote another one since");
  });

  it("is refused where what to go back to cannot be kept", async () => {
    const it = bench();
    it.store.isBroken = true;
    const refused = await it.reloader.reload({ confirmMs: 60_000 });
    assert.ok(!refused.ok && /nothing was changed/.test(refused.error.message));
    assert.equal(it.node(), "a");
  });

  it("goes on while the configuration before cannot be taken, and tries again", async () => {
    let isBroken = true;
    const it = bench({ loadKept: () => (isBroken ? err("the key is gone\nmore") : ok(loadedOf("a"))) });
    await it.reloader.reload({ confirmMs: 60_000 });
    await it.time.advanceSettled(60 * SECOND);
    assert.equal(it.node(), "b");
    assert.match(it.lines().at(-1) ?? "", /^error: .*cannot be gone back to: the key is gone; tried again in 1m/);
    isBroken = false;
    await it.time.advanceSettled(60 * SECOND);
    assert.equal(it.node(), "a");
  });

  it("several who ask at once: whoever wants it on trial gets that", async () => {
    const it = bench();
    const reports = await Promise.all([it.reloader.reload(), it.reloader.reload({ confirmMs: 60_000 })]);
    assert.equal(reports[0], reports[1]);
    assert.notEqual(it.trials.confirmBy, null);
  });
});
