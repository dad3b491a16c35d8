// lab-needs: ipvs
// Drills and schedules in front of real servers: web requests pass through both directors, and ipvsadm sees what the calendar did.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { ScheduleStatus } from "../../src/control/status.ts";
import type { DrillReport } from "../../src/drill/report.ts";
import { applyYaml, eventsOf, statusOf } from "./support/daemon.ts";
import { type Director, PROGRAM } from "./support/director.ts";
import { PacedRequests } from "./support/paced-requests.ts";
import { lastWords, type Pair, startPair, webYaml } from "./support/pair.ts";
import { OUTSIDE } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { weights } from "./support/witness.ts";

const PACE_MS = 100;
/** Probe and witness give up before a SYN is sent again: a question is answered when it is asked, or fails. */
const PATIENCE_S = 0.9;
/** Each sees a gap from its last answer to its next: the request of either that hung in it, and some for the translated processors. */
const AGREE_MS = 1000 * PATIENCE_S + 600;
/** Slow checks: the processors are for the requests. */
const OPTIONS = { check: "{ interval: 3s, timeout: 3s, rise: 1, fall: 3 }" };
const LIMIT_MS = 400_000;

interface Drilled {
  readonly kind: "handover" | "takeover";
  readonly target: string;
  /** Where instructions are translated a turn takes a hundred milliseconds. */
  readonly limits: readonly string[];
}

const DRILLS: readonly Drilled[] = [
  { kind: "handover", target: "http", limits: ["--max-gap", "1s", "--max-failed", "3", "--max-return-gap", "2s"] },
  { kind: "takeover", target: "http", limits: ["--max-gap", "6s", "--max-steady", "8s", "--max-return-gap", "2s"] },
  { kind: "handover", target: "tcp", limits: ["--max-gap", "1s", "--max-failed", "3", "--max-return-gap", "2s"] },
];

/** Connections that the kernel of the n-th director has sent to real servers so far. */
function connections({ directors }: Pair, number: number): number {
  const text = directors[number - 1]?.host.exec(["ipvsadm", "-Ln", "--stats", "--exact"]) ?? "";
  return Number(/^TCP\s+\S+\s+(\d+)/m.exec(text)?.[1] ?? 0);
}

describe("in front of real servers", function () {
  // Programs start slowly on an emulated processor.
  this.timeout(LIMIT_MS);
  let pair: Pair;
  let lb1: Director;
  let vip: string;

  before(async () => {
    pair = await startPair({ method: "dr", ...OPTIONS });
    const [first] = pair.directors;
    assert.ok(first !== undefined);
    lb1 = first;
    vip = pair.topology.plan.vip;
  });
  after(() => pair?.topology.close());

  /** Its probe runs on the client. */
  async function drill({ kind, target, limits }: Drilled): Promise<DrillReport> {
    const prober = `ip netns exec client ${process.execPath} ${PROGRAM} probe`;
    const url = target === "tcp" ? `tcp://${vip}:80` : `http://${vip}/healthz`;
    const pace = ["--every", `${PACE_MS}ms`, "--timeout", `${1000 * PATIENCE_S}ms`];
    const words = ["drill", "run", OUTSIDE, "--kind", kind, "--target", url, "--probe-command", prober, "--json"];
    const command = lb1.host.start(lb1.argv([...words, ...pace, ...limits]), { name: `${kind} drill` });
    const exitCode = await command.ended(180_000);
    const text = command.lines.join("\n");
    assert.ok(text.startsWith("{"), `exit ${exitCode}: ${text}\n${lastWords(pair.directors)}`);
    const report = JSON.parse(text) as DrillReport;
    assert.equal(exitCode, report.result === "passed" ? 0 : 1);
    return report;
  }

  for (const drilled of DRILLS) {
    const { kind, target } = drilled;
    it(`a ${kind} drill with ${target}: requests pass through the peer meanwhile, and curl saw the same`, async () => {
      const { topology, directors } = pair;
      const requests = new PacedRequests(topology.client, topology.dir, `http://${vip}/`, PATIENCE_S);
      await requests.answers(3);
      const before = connections(pair, 2);
      const report = await drill(drilled);
      await requests.answers(3);
      const seen = await requests.stop();
      const { event, back } = report;
      const told = `${JSON.stringify({ ...report, samples: [] })}\n${lastWords(directors)}`;
      assert.deepEqual(
        [report.result, report.reasons, report.successor, report.hasReturned],
        ["passed", [], topology.plan.directors[1], true],
        told,
      );
      assert.ok(event !== null && back !== null, told);
      assert.deepEqual(topology.holders(), ["lb1"]);

      const passed = connections(pair, 2) - before;
      assert.ok(passed >= 10, `${passed} connections through lb2: ${told}`);
      const [gapMs, backMs] = [event.gapUs / 1000, back.gapUs / 1000];
      const figures = `report: gap ${gapMs.toFixed()} ms, ${event.failed} of ${event.sent} failed, return ${backMs.toFixed()} ms; curl: gap ${seen.gapMs.toFixed()} ms, ${seen.failed} of ${seen.asked} failed; ${passed} through lb2`;
      console.log(`        ${figures}`);
      assert.ok(Math.abs(Math.max(gapMs, backMs) - seen.gapMs) <= AGREE_MS, figures);
      if (kind === "handover") assert.ok(seen.failed <= 2, `one request in flight for each way: ${figures}`);
      else
        assert.ok(gapMs > 2_000 && event.failed >= 10 && seen.failed >= 2, `a dead master costs patience: ${figures}`);
    });
  }

  /** What ipvsadm shows of a server; null = it is not in the table. */
  const weightOf = async (number: number) =>
    (await weights(lb1.host, vip, 80)).get(`${pair.topology.rs(number).address}:80`) ?? null;
  const comesTo = (number: number, what: string, isGood: (weight: number | null) => boolean) =>
    waitFor(`rs${number}: ${what}`, () => weightOf(number), isGood, {
      withinMs: 90_000,
      everyMs: 500,
      show: (seen) => `${seen}\n${lastWords([lb1])}`,
    });

  it("the calendar drains a server, reads a changed file and enables the server again, seen by ipvsadm", async () => {
    const { topology } = pair;
    const server = `${topology.rs(2).address}:80`;
    const [usual, usualThird] = [await weightOf(2), await weightOf(3)];
    assert.deepEqual([usual, usualThird], [2, 3]);
    // One after the other, and each again half a minute later: where the machine stalls that long, nothing is lost.
    const firstMs = Math.ceil(Date.now() / 1000) * 1000 + 12_000;
    const dueS = (index: number) => (Math.round(firstMs / 1000) + 10 * index) % 30;
    const actions = {
      // A connection that the drills broke would keep it from being drained until it is enabled again.
      rest: `drain: { service: web, server: "${server}", deadline: 5s }`,
      read: "reload",
      work: `enable: { service: web, server: "${server}" }`,
    };
    const entries = Object.entries(actions).map(
      ([name, action], index) =>
        `  - { name: ${name}, cron: "${dueS(index)},${dueS(index) + 30} * * * * *", action: ${action.includes(":") ? `{ ${action} }` : action} }\n`,
    );
    const yaml = `${webYaml(topology, 1, "dr", OPTIONS)}schedules:\n${entries.join("")}`;
    await applyYaml(lb1, yaml);
    const { schedules } = await statusOf(lb1);
    const askedMs = Date.now();
    for (const [index, { name, next, lastRun }] of schedules.entries()) {
      const seconds = next.map((iso) => new Date(iso).getUTCSeconds() % 30);
      assert.deepEqual([name, seconds], [Object.keys(actions)[index], Array(3).fill(dueS(index))]);
      assert.ok(lastRun === null || askedMs > firstMs, name);
    }
    writeFileSync(
      lb1.file,
      yaml.replace(`${topology.rs(3).address}:80, weight: 3`, `${topology.rs(3).address}:80, weight: 7`),
    );
    const { stdout: before } = await lb1.command(["schedule", "list"]);
    assert.match(before, new RegExp(`^rest {2}drain of ${server} in web {2}\\S+ \\* .*\\n {2}next: \\d{4}-`, "m"));

    await comesTo(2, "gets no new connections", (seen) => seen === 0 || seen === null);
    await comesTo(3, "has the weight of the file", (seen) => seen === 7);
    await comesTo(2, "its checks decide again", (seen) => seen === usual);

    const { seen: runs } = await waitFor<readonly ScheduleStatus[]>(
      "each has been done",
      async () => (await statusOf(lb1)).schedules,
      (all) => all.every(({ lastRun }) => lastRun?.isGood === true),
      { withinMs: 60_000, everyMs: 200 },
    );
    assert.deepEqual(
      runs.map(({ lastRun }) => lastRun?.cause),
      ["drain of 1 server", "the configuration was read again", "enable of 1 server"],
    );
    const told = async (type: string) =>
      (await eventsOf(lb1, type))
        .map(({ subject, from, to, cause }) => `${subject}: ${from} -> ${to}: ${cause}`)
        .join("\n");
    const schedule = await told("schedule");
    for (const name of Object.keys(actions))
      for (const to of ["started", "done"])
        assert.match(schedule, new RegExp(`^schedule ${name}: null -> ${to}: `, "m"));
    const override = await told("override");
    for (const change of ["null -> draining: draining, by schedule rest", "drained -> null: enabled by schedule work"])
      assert.ok(override.includes(`service web server ${server}: ${change}`), override);
    assert.match(await told("reload"), /-> applied: .*weight changed/);
    const { stdout: afterwards } = await lb1.command(["schedule", "list"]);
    for (const cause of ["drain of 1 server", "the configuration was read again", "enable of 1 server"])
      assert.match(afterwards, new RegExp(`^ {2}last: \\d{4}-\\S+ \\S+ \\S+ done: ${cause}$`, "m"));
  });
});
