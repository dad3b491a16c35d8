// lab-needs: netns
// Tracked interfaces and scripts, and the two sides of a nat director in a group: who holds what, as `ip` and tcpdump see it.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning, startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import { startProbe } from "./support/probe.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const PRIORITIES = [150, 100] as const;
const ADVERTISE_MS = 200;
/** Skew of the backup, and what a busy machine may add. */
const SKEW_MS = ((256 - PRIORITIES[1]) * ADVERTISE_MS) / 256;
const ALLOWANCE_MS = 100;

describe("tracking and groups", () => {
  let topology: Topology;
  let directors: Director[] = [];
  let homes = 0;

  before(() => {
    // The networks of a nat director; no service, so that no IPVS is needed.
    topology = new Topology({ method: "nat", directors: 2, servers: 0 });
  });
  after(() => topology?.close());
  afterEach(async () => {
    for (const host of topology.directors) host.restore();
    for (const director of directors) if (!director.program.hasEnded) await director.stop();
    directors = [];
  });

  const lastWords = () =>
    directors.flatMap((director) => [`-- ${director.host.name}`, ...director.lines.slice(-15)]).join("\n");

  /** @param track what web4 tracks, on both; @param inside also the servers' gateway, in a group with it */
  function yamlOf(number: 1 | 2, track: string, inside: boolean): string {
    const { vip, gateway } = topology.plan;
    const line = (name: string, device: string, vrid: number, address: string, more = "") =>
      `    ${name}: { interface: ${device}, vrid: ${vrid}, priority: ${PRIORITIES[number - 1]}, advertise: ${ADVERTISE_MS}ms, addresses: [${address}/32]${more} }\n`;
    const own = line("web4", "eth0", 51, vip, track === "" ? "" : `, track: ${track}`);
    const rest = inside ? `${line("in4", "eth1", 52, gateway)}  groups: { edge: [web4, in4] }\n` : "";
    return `node: lb${number}\nvrrp:\n  instances:\n${own}${rest}`;
  }

  async function start(track = "", inside = false): Promise<void> {
    homes += 1;
    for (const number of [1, 2] as const) {
      const home = join(topology.dir, `home-${homes}-${number}`);
      directors.push(startDaemon(topology.lb(number), home, { yaml: yamlOf(number, track, inside) }));
    }
    for (const director of directors) await isRunning(director);
    await held(topology.plan.vip, "lb1");
    if (inside) await held(topology.plan.gateway, "lb1");
  }

  async function held(address: string, by: string): Promise<number> {
    const { tookMs } = await waitFor(
      `${address} is held by ${by}`,
      () => topology.holders(address).join("+"),
      (seen) => seen === by || directors.some(({ program }) => program.hasEnded),
      { withinMs: 20_000, show: (seen) => `${seen}\n${lastWords()}` },
    );
    assert.equal(topology.holders(address).join("+"), by, lastWords());
    return tookMs;
  }

  const priorities = async (): Promise<string[]> => {
    const { stdout } = await (directors[0] as Director).command(["status"]);
    return stdout.split("\n").flatMap((line) => line.match(/priority \d+ = .*/)?.[0] ?? []);
  };

  it("an interface that goes down lowers the priority, the peer takes over, and gives back", async () => {
    await start("{ interfaces: [{ interface: eth1, weight: -60 }] }");
    assert.deepEqual(await priorities(), []);
    const capture = await startCapture(topology.client, join(topology.dir, "track.pcap"), "eth0", "ip proto 112");
    topology.lb(1).cut("carrier", "inside");
    const tookMs = await held(topology.plan.vip, "lb2");
    assert.deepEqual(await priorities(), ["priority 90 = 150 - 60 (interface eth1 is down)"]);
    const status = await statusOf(directors[0] as Director);
    assert.deepEqual(status.problems, ["instance web4: interface eth1 is down, priority 90"]);
    assert.ok(
      directors[0]?.lines.some((line) => /effective priority 150 -> 90 = 150 - 60/.test(line)),
      lastWords(),
    );
    topology.lb(1).restore("inside");
    await held(topology.plan.vip, "lb1");
    const seen = adverts(await capture.stop());
    const mine = seen.filter(({ source }) => source === topology.plan.directors[0]).map(({ priority }) => priority);
    assert.ok(mine.includes(90), `lb1 advertised ${[...new Set(mine)]}`);
    assert.equal(mine.at(-1), 150, "and the whole priority again");
    assert.ok(!mine.includes(0), "a lowered priority is no resignation");
    console.log(`        lb2 took over ${Math.round(tookMs)} ms after eth1 of lb1 went down`);
  });

  it("a script that fails by fall takes the node off at once, and gives it back by rise", async () => {
    const file = join(topology.dir, "lb1-may-serve");
    const script = join(topology.dir, "may-serve.sh");
    const log = join(topology.dir, "runs");
    writeFileSync(log, "");
    writeFileSync(
      script,
      `#!/bin/sh\necho "$HOLDFAST_INSTANCE $HOLDFAST_SCRIPT $(env | wc -l)" >>${log}\n[ -e ${file} ] || { echo "no $0"; exit 3; }\n`,
      { mode: 0o755 },
    );
    writeFileSync(file, "");
    const run = `{ scripts: [{ name: disk, run: [${script}], interval: 200ms, timeout: 200ms, rise: 2, fall: 3 }] }`;
    await start(run);
    // Both run the same script: lb2 must not be taken off with lb1.
    const [, second] = directors;
    await second?.reload(yamlOf(2, "", false));
    rmSync(file);
    await held(topology.plan.vip, "lb2");
    const [instance] = (await statusOf(directors[0] as Director)).instances;
    assert.equal(instance?.phase, "fault");
    assert.match(instance?.reason ?? "", /^script disk fails: \S+may-serve\.sh exited with 3: no /);
    writeFileSync(file, "");
    await held(topology.plan.vip, "lb1");
    const lines = (directors[0]?.lines ?? []).filter((line) => line.includes("tracked script disk"));
    assert.match(lines.join("\n"), /unknown -> passes.*\n.*passes -> fails.*\n.*fails -> passes/);
  });

  it("the cable of the servers' side is pulled: both addresses move, within the skew for the clients", async () => {
    await start("", true);
    const { vip, gateway } = topology.plan;
    const control = topology.plan.directors[1] ?? "";
    const probe = await startProbe(topology.client, topology.dir, { address: vip, control });
    await probe.answers(200);
    topology.lb(1).cut("carrier", "inside");
    await probe.answers(500);
    await held(vip, "lb2");
    await held(gateway, "lb2");
    const { gapMs, stallMs } = await probe.stop();
    const allowedMs = SKEW_MS + ALLOWANCE_MS + stallMs;
    assert.ok(gapMs <= allowedMs, `gap ${gapMs} ms of at most ${allowedMs}\n${lastWords()}`);
    const status = await statusOf(directors[0] as Director);
    assert.deepEqual(
      status.instances.map(({ name, phase, reason }) => `${name} ${phase}: ${reason}`),
      ["web4 fault: group edge: in4: interface is down", "in4 fault: interface is down"],
    );
    topology.lb(1).restore("inside");
    await held(gateway, "lb1");
    await held(vip, "lb1");
    console.log(`        gap ${gapMs.toFixed(1)} ms of at most ${allowedMs.toFixed(1)}`);
  });

  it("a handover of one member moves both, and both rest", async () => {
    await start("", true);
    const { vip, gateway } = topology.plan;
    const { status, stdout, stderr } = await (directors[0] as Director).command(["handover", "in4"]);
    assert.equal(status, 0, `${stdout}${stderr}\n${lastWords()}`);
    assert.match(stdout, /web4/);
    assert.match(stdout, /in4/);
    await held(vip, "lb2");
    await held(gateway, "lb2");
    const shown = (await (directors[0] as Director).command(["status"])).stdout;
    assert.equal(shown.match(/group edge; resting/g)?.length, 2, shown);
  });
});
