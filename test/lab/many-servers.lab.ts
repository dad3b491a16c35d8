// lab-needs: ipvs
// Ten thousand real servers in the kernel's table: the screen, the numbers for programs, plan and reload answer in a bounded time, and
// the vrrp process goes on undisturbed. Witnesses are ipvsadm, a terminal made by script(1), curl and tcpdump.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { DirectorStatus } from "../../src/control/status.ts";
import { isRunning } from "./support/daemon.ts";
import { type Director, startDirector } from "./support/director.ts";
import { controlScrape } from "./support/metrics.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture } from "./support/witness.ts";

const SERVICES = 10;
const SERVERS_EACH = 1_000;
const SERVERS = SERVICES * SERVERS_EACH;
const FIRST = "10.96.0.1:80";
/** In the emulated guest each of them takes some seconds; this tells what hangs from what answers. */
const ANSWER_MS = 30_000;
/** The backup would wait for three intervals and its skew. */
const LONGEST_MS = 3_000;

function serverOf(number: number): string {
  return `10.96.${(number + 1) >> 8}.${(number + 1) & 255}:80`;
}

describe("ten thousand real servers", function () {
  this.timeout(120_000);
  let topology: Topology;
  let director: Director;
  let capture: Capture;

  function yaml(weightOfFirst: number): string {
    const services = Array.from({ length: SERVICES }, (_, s) => {
      const servers = Array.from({ length: SERVERS_EACH }, (_, i) => serverOf(s * SERVERS_EACH + i)).map((address) =>
        address === FIRST ? `{ address: ${address}, weight: ${weightOfFirst} }` : address,
      );
      const listen = `${topology.plan.vip}:${80 + s}`;
      return `  s${s}: { listen: ${listen}, scheduler: rr, forward: nat, servers: [${servers.join(", ")}] }\n`;
    });
    return `node: lb1
vrrp: { instances: { outside: { interface: eth0, vrid: 51, addresses: [${topology.plan.vip}/32] } } }
services:\n${services.join("")}`;
  }

  /** What ipvsadm shows of servers: address, method, weight. */
  function servers(): string[] {
    const lines = topology.lb(1).exec(["ipvsadm", "-Ln"]).split("\n");
    return lines.flatMap((line) => /^ +-> (10\S+ +\w+ +\d+)/.exec(line)?.[1]?.replace(/ +/g, " ") ?? []);
  }

  before(async () => {
    topology = new Topology({ directors: 1 });
    // Without it status is degraded, and says so.
    topology.lb(1).sysctl({ "net.ipv4.ip_forward": "1" });
    director = startDirector(topology, topology.lb(1), yaml(1));
    await isRunning(director);
    await waitFor(
      "the kernel has all servers, and the address stands",
      () => ({ servers: servers().length, holders: topology.holders() }),
      (seen) => seen.servers === SERVERS && seen.holders.length === 1,
      { withinMs: 100_000, everyMs: 500, show: () => director.lines.slice(-20).join("\n") },
    );
    capture = await startCapture(topology.client, join(topology.dir, "adverts.pcap"), "eth0", "vrrp");
  });
  after(() => topology?.close());

  async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const result = await act();
    const tookMs = performance.now() - startMs;
    console.log(`        ${what}: ${(tookMs / 1_000).toFixed(1)} s`);
    assert.ok(tookMs < ANSWER_MS, `${what} took ${tookMs.toFixed(0)} ms`);
    return result;
  }

  it("fit on a screen, printed and drawn in place", async () => {
    const { status, stdout } = await timed("status", () => director.command(["status"]));
    assert.equal(status, 0, stdout);
    assert.match(stdout, /\nSERVICES {2}10,000 of 10,000 servers serving, /);
    assert.ok(stdout.split("\n").length < 24, stdout);
    const file = join(topology.dir, "screen");
    const watch = `stty rows 24 cols 80; ${director.argv(["status", "--watch", "1s"]).join(" ")}`;
    const terminal = topology
      .lb(1)
      .start(["script", "--quiet", "--flush", "--command", watch, file], { name: "script" });
    const screens = (): string[] => readFileSync(file, { encoding: "utf8", flag: "a+" }).split("\u001b[H");
    const { seen } = await timed("three screens", () =>
      waitFor("it is drawn three times", screens, ({ length }) => length > 3, { withinMs: ANSWER_MS }),
    );
    await terminal.stop("SIGTERM");
    const screen = stripVTControlCharacters(seen[2] ?? "");
    assert.match(screen, /10,000 of 10,000 servers serving[\s\S]* s9 /);
    assert.doesNotMatch(screen, /window is too short/);
  });

  it("are all there for programs", async () => {
    const { stdout } = await timed("status --json", () => director.command(["status", "--json"]));
    const { services } = JSON.parse(stdout) as DirectorStatus;
    assert.equal(services.flatMap((service) => service.servers).length, SERVERS);
    const scrape = await timed("scrape", () => controlScrape(director));
    assert.equal(scrape.match(/^holdfast_server_weight\{.*\} 1$/gm)?.length, SERVERS);
  });

  it("one new weight is one change of the plan, and of the kernel", async () => {
    const before = servers();
    writeFileSync(director.file, yaml(5));
    const plan = await timed("plan", () => director.command(["plan", director.file]));
    assert.match(plan.stdout, /\n~ {3}server 10\.96\.0\.1:80: nat weight 1 -> nat weight 5\n/);
    assert.match(plan.stdout, /\nplan: 0 to add, 1 to change, 0 to remove\n/);
    const reload = await timed("reload", () => director.command(["reload"]));
    assert.equal(reload.status, 0, reload.stderr);
    const after = before.map((line) => (line.startsWith(`${FIRST} `) ? line.replace(/1$/, "5") : line));
    assert.deepEqual(servers(), after);
  });

  it("and adverts came in time all the while", async () => {
    const seen = adverts(await capture.stop());
    const longestMs = Math.max(...seen.slice(1).map(({ atMs }, index) => atMs - (seen[index]?.atMs ?? 0)));
    console.log(`        ${seen.length} adverts, longest time between two ${longestMs.toFixed(0)} ms`);
    assert.ok(seen.length > 5 && longestMs < LONGEST_MS, `${seen.length} adverts, ${longestMs} ms`);
  });
});
