import assert from "node:assert/strict";
import { type LoadedConfig, Reloader, type ReloaderCollaborators } from "../../src/app/reloader.ts";
import { err, ok } from "../../src/base/result.ts";
import type { DirectorConfig } from "../../src/config/model.ts";
import { joinPlan, stepOf } from "../../src/plan/model.ts";
import { MemoryLogger } from "../support/memory-store.ts";

function configOf(node: string): DirectorConfig {
  return { node } as DirectorConfig;
}

const STEP = stepOf("server 10.0.0.1:80", "nat weight 1", null, { cuts: { established: 4, other: 0 } });
const PLAN = joinPlan([{ section: "services", title: "service web", steps: [STEP], notes: [] }], { basis: "" });

/** A reloader over a configuration that is called after its node. */
function bench(change: Partial<ReloaderCollaborators> = {}) {
  const logger = new MemoryLogger();
  const calls: string[] = [];
  let present = configOf("a");
  let file = "b";
  const reloader = new Reloader(
    { file: "/etc/x.yaml" },
    {
      logger,
      load: () => {
        calls.push(`load ${file}`);
        return ok({ config: configOf(file), keys: {}, warnings: [] });
      },
      present: () => ({ config: present, keys: {} }),
      isStopping: () => false,
      plan: async ({ node }) => {
        calls.push(`plan ${node}`);
        return ok(PLAN);
      },
      apply: async ({ config }: LoadedConfig) => {
        calls.push(`apply ${config.node}`);
        present = config;
        return ok({ changes: ["a change"], remaining: [] });
      },
      diff: (before, after) => (before.node === after.node ? [] : [`node ${before.node} -> ${after.node}`]),
      onBegin: () => void calls.push("begin"),
      onEnd: () => void calls.push("end"),
      ...change,
    },
  );
  const lines = () => logger.entries.map(({ level, message }) => `${level}: ${message}`);
  const write = (name: string) => {
    file = name;
  };
  return { reloader, calls, logger, lines, write };
}

describe("reloader", () => {
  it("validates, plans, applies, and says what was planned before it was done", async () => {
    const { reloader, calls, lines } = bench();
    const report = await reloader.reload();
    assert.deepEqual(calls, ["begin", "load b", "plan b", "apply b", "end"]);
    assert.deepEqual(report, ok({ plan: PLAN, changes: ["node a -> b", "a change"], remaining: [], warnings: [] }));
    assert.deepEqual(lines(), [
      "info: plan: - service web: server 10.0.0.1:80: nat weight 1; cuts 4 established connections",
      "notice: plan: 0 to add, 0 to change, 1 to remove; cuts 4 established connections",
      "notice: reloaded: node a -> b",
    ]);
  });

  it("refuses a broken file and changes nothing", async () => {
    const { reloader, calls, lines } = bench({ load: () => err("x.yaml:1:1: bad\nmore") });
    const refused = await reloader.reload();
    assert.ok(!refused.ok && refused.error.code === "CONFIG_INVALID");
    assert.deepEqual(calls, ["begin", "end"]);
    assert.match(
      lines().join("\n"),
      /reload refused, nothing changed: x\.yaml:1:1: bad \(holdfast check \/etc\/x\.yaml/,
    );
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

  it("plans without changing anything", async () => {
    const { reloader, calls } = bench();
    assert.deepEqual(await reloader.plan(), ok(PLAN));
    assert.deepEqual(calls, ["load b", "plan b"]);
  });

  it("reads the file again for who asked while a reload was under way, once for all of them", async () => {
    const { reloader, calls, write } = bench();
    const first = reloader.reload();
    write("c");
    const [second, third] = [reloader.reload(), reloader.reload()];
    await Promise.all([first, second, third]);
    assert.deepEqual(
      calls.filter((call) => call.startsWith("apply")),
      ["apply b", "apply c"],
    );
    assert.equal(await second, await third);
  });
});
