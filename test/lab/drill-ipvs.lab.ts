// lab-needs: ipvs
// Drills and schedules in front of real servers: web requests pass through both directors, and ipvsadm sees what the calendar did.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { DrillReport } from "../../src/drill/report.ts";
import { applyYaml } from "./support/daemon.ts";
import { PROGRAM } from "./support/director.ts";
import { lastWords, type Pair, startPair, webYaml } from "./support/pair.ts";
import { OUTSIDE } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { weights } from "./support/witness.ts";

/** Where processors are emulated a web request takes tens of milliseconds; the questions keep their pace all the same. */
const PACE = ["--every", "100ms", "--timeout", "2s"];

async function drill({ topology, directors }: Pair, kind: string, limits: readonly string[]): Promise<DrillReport> {
  const [lb1] = directors;
  assert.ok(lb1 !== undefined);
  const prober = `ip netns exec client ${process.execPath} ${PROGRAM} probe`;
  const target = `http://${topology.plan.vip}/healthz`;
  const words = ["drill", "run", OUTSIDE, "--kind", kind, "--target", target, "--probe-command", prober, "--json"];
  const { status, stdout, stderr } = await lb1.command([...words, ...PACE, ...limits]);
  assert.ok(stdout.startsWith("{"), `exit ${status}: ${stdout}${stderr}\n${lastWords(directors)}`);
  return JSON.parse(stdout) as DrillReport;
}

/** Connections that the n-th director has accepted for the service so far, by the kernel's own count. */
function connections({ directors }: Pair, number: number): number {
  const text = directors[number - 1]?.host.exec(["ipvsadm", "-Ln", "--stats", "--exact"]) ?? "";
  return Number(/^TCP\s+\S+\s+(\d+)/m.exec(text)?.[1] ?? 0);
}

describe("drills in front of real servers", function () {
  // Programs start slowly on an emulated processor.
  this.timeout(300_000);
  let pair: Pair;

  before(async () => {
    pair = await startPair({ method: "dr" });
  });
  after(async () => {
    await pair?.topology.close();
  });

  for (const [kind, limits] of [
    ["handover", ["--max-gap", "1s", "--max-failed", "1", "--max-return-gap", "1s"]],
    ["takeover", ["--max-gap", "6s", "--max-steady", "10s", "--max-return-gap", "2s"]],
  ] as const) {
    it(`a ${kind}: web requests pass through the peer meanwhile`, async () => {
      const before = connections(pair, 2);
      const report = await drill(pair, kind, limits);
      const { event, back } = report;
      const told = JSON.stringify({ ...report, samples: [] });
      assert.deepEqual([report.result, report.reasons, report.hasReturned], ["passed", [], true], told);
      assert.ok(event !== null && back !== null && connections(pair, 2) > before, told);
      assert.deepEqual(pair.topology.holders(), ["lb1"]);
      if (kind === "takeover") assert.ok(event.gapUs > 2_000_000 && event.failed > 0, told);
      console.log(
        `        gap ${event.gapUs / 1000} ms, ${event.failed} of ${event.sent} failed; return ${back.gapUs / 1000} ms; ${connections(pair, 2) - before} by lb2`,
      );
    });
  }

  it("the calendar drains a server and enables it again, seen by ipvsadm", async () => {
    const { topology, directors } = pair;
    const [lb1] = directors;
    assert.ok(lb1 !== undefined);
    const { vip } = topology.plan;
    const server = `${topology.rs(2).address}:80`;
    const yaml = webYaml(topology, 1, "dr");
    const scheduled = (action: string) =>
      applyYaml(lb1, `${yaml}schedules: [{ name: rest, cron: "* * * * * *", action: ${action} }]\n`);
    const weight = async () => (await weights(lb1.host, vip, 80)).get(server) ?? null;
    const usual = await weight();
    await scheduled(`{ drain: { service: web, server: ${server}, until: 1h } }`);
    await waitFor("the server gets nothing new", weight, (seen) => seen === 0 || seen === null, {
      withinMs: 60_000,
      everyMs: 500,
    });
    await scheduled(`{ enable: { service: web, server: ${server} } }`);
    await waitFor("its checks decide again", weight, (seen) => seen === usual, { withinMs: 60_000, everyMs: 500 });
    assert.ok(usual !== null && usual > 0);
    const { stdout } = await lb1.command(["schedule", "list"]);
    assert.match(stdout, /^rest {2}enable of \S+ in web/, join(stdout, lastWords(directors)));
    await applyYaml(lb1, yaml);
  });
});
