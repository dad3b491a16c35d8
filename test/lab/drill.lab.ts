// lab-needs: netns
// Drills on a real pair: what they report agrees with a foreign witness, they are refused without a peer, and nothing that
// happens in the middle leaves clients without the address.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { DrillReport } from "../../src/drill/report.ts";
import { leftOut, partOf } from "../support/document-parts.ts";
import type { Outcome } from "./support/commands.ts";
import { childPid, statusOf } from "./support/daemon.ts";
import { type Director, PROGRAM, startDirector, vrrpYaml } from "./support/director.ts";
import { keepalivedInstance, startKeepalived } from "./support/keepalived.ts";
import { lastWords } from "./support/pair.ts";
import { startProbe } from "./support/probe.ts";
import { startWeb } from "./support/servers.ts";
import { startSshServer } from "./support/ssh.ts";
import { Story } from "./support/story.ts";
import { OUTSIDE, type Topology, USUAL_PLAN, withTopology } from "./support/topology.ts";
import { describeTyped } from "./support/typing.ts";
import { held, startVrrpPair } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";

const PRIORITIES = [150, 100] as const;
/** Both ask every 10 ms, each at its own instants; what the machine stalls comes on top. */
const AGREE_MS = 12;

/** Runs a drill on a director while the client asks by itself; the probe of the drill runs on the client as well. */
async function drill(director: Director, kind: string, ...words: readonly string[]): Promise<Outcome> {
  const prober = `ip netns exec client ${process.execPath} ${PROGRAM} probe`;
  return director.command(["drill", "run", OUTSIDE, "--kind", kind, "--probe-command", prober, "--json", ...words]);
}

function reportOf({ status, stdout, stderr }: Outcome, directors: readonly Director[]): DrillReport {
  assert.ok(stdout.startsWith("{"), `exit ${status}: ${stdout}${stderr}\n${lastWords(directors)}`);
  return JSON.parse(stdout) as DrillReport;
}

function witness(topology: Topology) {
  const control = topology.plan.directors[1] ?? "";
  return startProbe(topology.client, topology.dir, { address: topology.plan.vip, control, everyMs: 10 });
}

/** A drill gives a successor one interval and a half beyond its time: that much a busy machine may stall. */
const ADVERTISE = "300ms";

/** A report without what differs from drill to drill: numbers, how long the lines of its pictures are, and whether the machine stood still. */
function shapeOf(report: string): string {
  return report
    .trim()
    .replace(/, of which the prober stood still [\d.]+m?s/g, "")
    .replace(/^ +(?:\|-*\||\^) /gm, " |-| ")
    .replace(/^ +[#x/ ]+$/gm, " #x/")
    .replace(/\d[\d.]*m?s\b|\d{8}T\w+|\d{4}-\S+Z|\b\d+\b/g, "N");
}

describe("drills", () => {
  for (const kind of ["handover", "takeover"] as const) {
    it(`a ${kind} passes, measures what fping measures, and puts everything back`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
        const [lb1] = directors;
        assert.ok(lb1 !== undefined);
        const fping = await witness(topology);
        const outcome = await drill(lb1, kind);
        const report = reportOf(outcome, directors);
        const { gapMs, stallMs } = await fping.stop();
        assert.deepEqual(
          [outcome.status, report.result, report.reasons, report.successor, report.hasReturned],
          [0, "passed", [], topology.plan.directors[1], true],
          lastWords(directors),
        );
        await held(topology, ["lb1"], directors);
        const { event, back } = report;
        assert.ok(event !== null && back !== null && event.sent > 50);
        const gapsMs = [event.gapUs, back.gapUs].map((us) => us / 1000);
        const told = `fping ${gapMs.toFixed(1)} ms (stall ${stallMs.toFixed(1)}), report ${gapsMs.map((ms) => ms.toFixed(1)).join(" and ")}, ${event.failed} not answered`;
        console.log(`        ${told}`);
        assert.ok(Math.abs(Math.max(...gapsMs) - gapMs) <= AGREE_MS + stallMs, told);
        if (kind === "takeover") assert.ok((gapsMs[0] ?? 0) > 200, `a dead master costs its peer's patience: ${told}`);
        const page = await lb1.command(["drill", "show"]);
        assert.match(page.stdout, new RegExp(`^${kind} drill of ${OUTSIDE} on lb1: PASSED\\n`));
        assert.match(page.stdout, /\nthe event:\n {2}[#x/ ]+\n/);
        const list = await lb1.command(["drill", "list", "--json"]);
        assert.equal((JSON.parse(list.stdout) as { drills: unknown[] }).drills.length, 1);
      });
    });
  }

  for (const kind of ["handover", "takeover"]) {
    it(`a ${kind} without a peer is refused, and costs nothing`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
        const [lb1, lb2] = directors;
        assert.ok(lb1 !== undefined && lb2 !== undefined);
        await lb2.stop();
        const fping = await witness(topology);
        const outcome = await drill(lb1, kind);
        const report = reportOf(outcome, directors);
        const { gapMs, stallMs } = await fping.stop();
        assert.deepEqual([outcome.status, report.result, report.event], [1, "refused", null]);
        assert.match(report.reasons.join(), /^no peer is heard: no other director answered within \d+(\.\d+)?m?s$/);
        assert.ok(gapMs - stallMs <= 2 * AGREE_MS, `gap ${gapMs} ms`);
        assert.deepEqual(topology.holders(), ["lb1"]);
      });
    });
  }

  it("is refused on the backup, and where the address does not answer", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const [lb1, lb2] = directors;
      assert.ok(lb1 !== undefined && lb2 !== undefined);
      const onBackup = await lb2.command(["drill", "run", OUTSIDE, "--kind", "handover"]);
      assert.equal(onBackup.status, 1);
      assert.match(
        onBackup.stdout,
        /REFUSED\n {2}! instance outside is not master here but backup: run the drill on (the master, 192\.0\.2\.11|its master)\n/,
      );
      const target = `tcp://${topology.plan.vip}:9`;
      const unserved = reportOf(await drill(lb1, "handover", "--target", target, "--timeout", "100ms"), directors);
      assert.deepEqual([unserved.result, unserved.reasons], ["refused", [`${target} does not answer: ECONNREFUSED`]]);
      const unknown = await lb1.command(["drill", "run", "nosuch", "--kind", "handover"]);
      assert.deepEqual(
        [unknown.status, unknown.stderr],
        [1, "holdfast: no drill: there is no instance nosuch; there is only outside.\n"],
      );
      assert.deepEqual(topology.holders(), ["lb1"]);
    });
  });

  /** A takeover drill that has come to its silence. The command itself may come to a bad end. */
  async function playDead(topology: Topology, directors: readonly Director[], ...words: readonly string[]) {
    const [lb1] = directors;
    assert.ok(lb1 !== undefined);
    const command = drill(lb1, "takeover", ...words);
    await lb1.program.line(/master -> fault: drill: silent as if dead/);
    await held(topology, ["lb2"], directors);
    return { lb1, command };
  }

  it("the dead man's return: a supervisor that is frozen ends no drill, the silence ends all the same", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const { lb1, command } = await playDead(topology, directors);
      process.kill(lb1.program.pid, "SIGSTOP");
      await held(topology, ["lb1"], []);
      process.kill(lb1.program.pid, "SIGCONT");
      await lb1.program.line(/drill: nobody ended the silence in time/);
      const report = reportOf(await command, directors);
      assert.deepEqual(topology.holders(), ["lb1"]);
      assert.notEqual(report.result, "refused");
    });
  });

  it("a supervisor that is killed in the middle leaves the address with the peer until it is started again", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const fping = await witness(topology);
      const { lb1, command } = await playDead(topology, directors);
      process.kill(lb1.program.pid, "SIGKILL");
      assert.equal((await command).status, 4, "the command says that the daemon is gone");
      await waitFor(
        "its children have ended",
        () => lb1.host.pids(),
        (pids) => pids.length === 0,
        { withinMs: 10_000 },
      );
      assert.deepEqual(topology.holders(), ["lb2"]);
      const [again] = [
        startDirector(
          topology,
          topology.lb(1),
          vrrpYaml(topology, 1, { advertise: ADVERTISE, priorities: PRIORITIES }),
        ),
      ];
      await held(topology, ["lb1"], [again, ...directors.slice(1)]);
      const { gapMs, stallMs } = await fping.stop();
      assert.ok(gapMs - stallMs <= 1_500, `only the takeover itself is felt: ${gapMs} ms`);
    });
  });

  it("a vrrp process that is killed in the middle fails the drill, and comes back as a backup that preempts", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const { lb1, command } = await playDead(topology, directors);
      process.kill(await childPid(lb1, "vrrp"), "SIGKILL");
      const outcome = await command;
      const report = reportOf(outcome, directors);
      // Where the machine stalls, the judge has more to say.
      assert.deepEqual([outcome.status, report.result, report.reasons[0]], [1, "failed", "the vrrp process ended"]);
      await held(topology, ["lb1"], directors);
    });
  });

  it("a successor that falls silent in the middle is succeeded at once", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: "1s", priorities: PRIORITIES });
      const { lb1, command } = await playDead(topology, directors);
      topology.lb(2).cut("silent");
      await lb1.program.line(/drill: 192\.0\.2\.12, which had taken over, fell silent; serving again/, 20_000);
      topology.lb(2).restore();
      await held(topology, ["lb1"], directors);
      const report = reportOf(await command, directors);
      assert.equal(report.result, "failed");
    });
  });

  it("who asks from afar and is gone in the middle does not hold anything up", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const { lb1, command } = await playDead(topology, directors);
      for (const pid of topology.client.pids()) process.kill(pid, "SIGKILL");
      const report = reportOf(await command, directors);
      assert.equal(report.result, "failed");
      assert.match(report.reasons.join(), /the probe ended: .* was ended by SIGKILL/);
      assert.equal(report.hasReturned, true);
      await held(topology, ["lb1"], directors);
      assert.equal((await statusOf(lb1)).health, "healthy");
    });
  });

  for (const kind of ["handover", "takeover"]) {
    it(`${kind} with keepalived as the peer`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const yaml = vrrpYaml(topology, 1, { advertise: ADVERTISE, priorities: PRIORITIES });
        const lb1 = startDirector(topology, topology.lb(1), yaml);
        await held(topology, ["lb1"], [lb1]);
        const conf = keepalivedInstance({ priority: 100, advertiseS: 0.3, address: topology.plan.vip });
        const peer = startKeepalived(topology, topology.lb(2), conf);
        await peer.line(/Entering BACKUP STATE/);
        const outcome = await drill(lb1, kind);
        const report = reportOf(outcome, [lb1]);
        const told = `${JSON.stringify({ ...report, samples: [] })}\n${lastWords([lb1])}\n${peer.lines.slice(-8).join("\n")}`;
        assert.deepEqual([outcome.status, report.result, report.hasReturned], [0, "passed", true], told);
        assert.deepEqual(topology.holders(), ["lb1"]);
        console.log(`        gap ${report.event?.gapUs} µs, return ${report.back?.gapUs} µs`);
      });
    });
  }

  it("asks over ssh from another host", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: ADVERTISE, priorities: PRIORITIES });
      const [lb1] = directors;
      assert.ok(lb1 !== undefined);
      const { home } = await startSshServer(topology, topology.client);
      const words = ["drill", "run", OUTSIDE, "--kind", "takeover", "--probe-from", "client", "--json"];
      const outcome = await topology
        .lb(1)
        .execAsync([
          "env",
          `PATH=${home}:${process.env.PATH}`,
          process.execPath,
          PROGRAM,
          ...words,
          "--run-dir",
          join(topology.dir, "lb1/run"),
        ]);
      const report = reportOf(outcome, directors);
      assert.deepEqual(
        [outcome.status, report.result, report.viewpoint],
        [0, "passed", { from: "client", isLocal: false }],
        `${outcome.stderr}\n${JSON.stringify(report.reasons)}`,
      );
    });
  });

  it("docs/drills.md, carried out", async () => {
    const plan = { ...USUAL_PLAN, vip: "192.0.2.10" };
    await withTopology({ directors: 2, plan }, async (topology) => {
      const { home } = await startSshServer(topology, topology.client, "client1");
      const story = new Story(topology, { aliases: { client1: "client" }, path: [home] });
      try {
        // The page's configuration has no services: what is asked at the address are the directors themselves.
        await startWeb(topology.directors, topology.dir);
        const blocks = partOf("docs/drills.md", "drill");
        const config = blocks.find(({ language }) => language === "yaml")?.text ?? "";
        story.writeConfig("lb1", config);
        story.writeConfig("lb2", config.replace("priority: 150", "priority: 100"));
        await story.type({ hosts: ["lb1", "lb2"], command: "systemctl start holdfast", output: [] });
        await held(topology, ["lb1"], []);
        await story.carryOut(blocks);
        assert.deepEqual(leftOut("drill", story.carried), []);
        const shown = blocks.find(({ language }) => language === "text")?.text ?? "";
        const printed = story.typed.find(({ command }) => command === "holdfast drill show")?.printed ?? "";
        assert.equal(shapeOf(printed), shapeOf(shown), `the page shows another report than\n${printed}`);
      } finally {
        for (const each of story.typed) console.log(`        ${describeTyped(each)}`);
        await story.close();
      }
    });
  });

  it("the calendar drills the master, the backup leaves it to it, and a run that nobody made is told", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const options = { advertise: ADVERTISE, priorities: PRIORITIES };
      const often = (action: string) => `schedules: [{ name: often, cron: "*/4 * * * * *", action: ${action} }]\n`;
      // Asked by the directors themselves, on a machine that may stall.
      const yaml = (number: 1 | 2) =>
        vrrpYaml(topology, number, options) + often(`{ drill: ${OUTSIDE}, kind: handover, maxGap: 1s }`);
      const lb1 = startDirector(topology, topology.lb(1), yaml(1));
      await held(topology, ["lb1"], [lb1]);
      const lb2 = startDirector(topology, topology.lb(2), yaml(2));
      const directors = [lb1, lb2];
      await lb1.program.line(/schedule often done: the drill \S+ passed/, 60_000);
      await lb2.program.line(
        /schedule often done: the drill \S+ refused: instance outside is not master here but backup/,
        60_000,
      );
      const { stdout } = await lb1.command(["schedule", "list"]);
      assert.match(
        stdout,
        /^often {2}handover drill of outside {2}\*\/4 \* \* \* \* \* \S+\n {2}next: \d{4}-/,
        lastWords(directors),
      );
      const { stdout: events } = await lb1.command(["events", "--type", "drill", "--json"]);
      assert.match(events, /"to":\s*"passed"/);
      assert.doesNotMatch(
        events,
        /is under way/,
        "a run that comes due while the last one goes on is no refused drill",
      );
      await lb1.stop();
      await held(topology, ["lb2"], [lb2]);
      // Past the next run of the calendar, by the clock that everybody here shares.
      const dueMs = Date.now() + 4_500;
      await waitFor(
        "a run is over",
        () => Date.now(),
        (now) => now > dueMs,
        { withinMs: 10_000, everyMs: 100 },
      );
      const again = startDirector(topology, topology.lb(1), yaml(1));
      await again.program.line(
        /schedule often missed: handover drill of outside was due .*, and no daemon was running; it is not made up for/,
      );
      const status = await statusOf(again);
      assert.ok((status.schedules[0]?.missed?.count ?? 0) >= 1 || status.schedules[0]?.lastRun !== null);
    });
  });
});
