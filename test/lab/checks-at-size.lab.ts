// lab-needs: ipvs
// Two thousand real servers, each checked each second: all checks are made, those that die leave the kernel's table and come back to it,
// and nobody else does, while adverts go out on time. nginx answers the checks; witnesses are the servers' kernel, which counts
// the connections that it accepted, ipvsadm and tcpdump. How fast it all is stands in docs/benchmarks.md.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { planTable, SERVER_PORT, servicesYaml } from "../../bench/plan.ts";
import { Servers } from "../../bench/servers.ts";
import { isRunning, statusOf } from "./support/daemon.ts";
import { type Director, startDirector, vrrpYaml } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture } from "./support/witness.ts";

const PLAN = planTable(20, 100);
const ALL = PLAN.flatMap(({ servers }) => servers);
/** Every tenth dies. */
const DYING = ALL.filter((_, index) => index % 10 === 3);
const COUNTED_S = 10;
/** Of what is asked: a busy machine makes fewer, and this tells what works from what does not. */
const ENOUGH = 0.5;
/** The backup would wait for three intervals and its skew. */
const LONGEST_MS = 3_000;

describe("two thousand real servers, checked each second", function () {
  this.timeout(120_000);
  let topology: Topology;
  let servers: Servers;
  let director: Director;
  let capture: Capture;

  /** Addresses of the servers that ipvsadm shows. */
  const inTable = (): readonly string[] =>
    [
      ...topology
        .lb(1)
        .exec(["ipvsadm", "-Ln"])
        .matchAll(/^ +-> (10\S+):80 /gm),
    ].map(([, address = ""]) => address);

  async function untilTable(what: string, wanted: readonly string[]): Promise<void> {
    const { seen } = await waitFor(what, inTable, ({ length }) => length === wanted.length, {
      withinMs: 100_000,
      everyMs: 500,
      show: ({ length }) => `${length} servers\n${director.lines.slice(-20).join("\n")}`,
    });
    assert.deepEqual([...seen].sort(), [...wanted].sort());
  }

  before(async () => {
    topology = new Topology({ directors: 1 });
    servers = await Servers.up("http", topology.dir, topology.lb(1));
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "1" });
    const yaml = `${vrrpYaml(topology, 1, { advertise: "1s" })}${servicesYaml(PLAN, "tcp")}`;
    director = startDirector(topology, topology.lb(1), yaml);
    await isRunning(director);
    await director.program.line(/-> master/);
    capture = await startCapture(topology.client, join(topology.dir, "adverts.pcap"), "eth0", "vrrp");
  });
  after(async () => {
    await servers?.down();
    await topology?.close();
  });

  it("are all found up", async () => {
    await untilTable("every server is in the table", ALL);
    assert.equal((await statusOf(director)).health, "healthy");
  });

  it("are asked each second", async () => {
    const before = { accepted: servers.accepted(), ms: performance.now() };
    await sleep(COUNTED_S * 1_000);
    const asked = ((performance.now() - before.ms) / 1_000) * ALL.length;
    const accepted = servers.accepted() - before.accepted;
    console.log(`        ${accepted} checks of ${asked.toFixed(0)}`);
    assert.ok(accepted > asked * ENOUGH, `${accepted} of ${asked.toFixed(0)} checks`);
    assert.ok(accepted < asked * 1.2, "nobody is asked more often than is configured");
  });

  it("leave the table when they die, and come back", async () => {
    const dead = new Set(DYING);
    servers.kill(DYING);
    await untilTable(
      "those that died are out",
      ALL.filter((address) => !dead.has(address)),
    );
    const { health, problems, services } = await statusOf(director);
    assert.equal(health, "degraded");
    assert.equal(problems.length, PLAN.length, problems.join("\n"));
    const down = services.flatMap((service) => service.servers.filter(({ verdict }) => verdict === "down"));
    assert.deepEqual(
      down.map(({ server }) => server).sort(),
      DYING.map((address) => `${address}:${SERVER_PORT}`).sort(),
    );
    servers.revive();
    await untilTable("they are back", ALL);
  });

  it("keep nobody from speaking VRRP", async () => {
    const own = adverts(await capture.stop()).map(({ atMs }) => atMs);
    const longest = Math.max(...own.slice(1).map((atMs, index) => atMs - (own[index] ?? atMs)));
    console.log(`        ${own.length} adverts, the longest gap ${longest.toFixed(0)} ms`);
    assert.ok(own.length > COUNTED_S && longest < LONGEST_MS, `${own.length} adverts, ${longest} ms`);
  });
});
