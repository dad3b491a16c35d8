// lab-needs: ipvs
// Metrics of services and servers are the kernel's own counters: by nat and dr they equal what ipvsadm shows.
import assert from "node:assert/strict";
import { isRunning, statusOf } from "./support/daemon.ts";
import { type Director, startDirector } from "./support/director.ts";
import { askedNames, controlScrape, parseScrape, promtoolCheck, type Scrape } from "./support/metrics.ts";
import { startWeb } from "./support/servers.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl } from "./support/witness.ts";

const PORT = 80;
/** By dr, on the same addresses: its clients get no answer here, but their packets are counted. */
const DIRECT = 81;
const REQUESTS = 30;

/** A line of `ipvsadm -Ln --stats --exact`: connections, packets in and out, bytes in and out. */
const STATISTICS = /^(?:(TCP)|\s+->)\s+(\S+:\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/;

type Numbers = readonly number[];

describe("metrics of the kernel's table", () => {
  let topology: Topology;
  let director: Director;

  const vip = (): string => topology.plan.vip;

  before(async function () {
    this.timeout(180_000);
    topology = new Topology({ method: "nat", servers: 2, directors: 1 });
    topology.lb(1).addAddress(`${topology.plan.gateway}/32`, "eth1");
    await startWeb(
      topology.servers.map(({ host }) => host),
      topology.dir,
      { ports: [PORT, DIRECT] },
    );
    const servers = (port: number) => topology.servers.map(({ address }) => `"${address}:${port}"`).join(", ");
    const service = (name: string, port: number, forward: string) =>
      `  ${name}: { listen: "${vip()}:${port}", scheduler: rr, forward: ${forward}, servers: [${servers(port)}], checks: [tcp, { http: { path: /healthz } }] }\n`;
    director = startDirector(
      topology,
      topology.lb(1),
      `node: lb1
vrrp: { instances: { outside: { interface: eth0, vrid: 51, addresses: ["${vip()}/32"] } } }
defaults: { check: { interval: 1s, timeout: 900ms } }
services:
${service("web", PORT, "nat")}${service("direct", DIRECT, "dr")}`,
    );
    await isRunning(director);
    await waitFor(
      "the VIP stands and every server is up",
      async () => ({ status: await statusOf(director), holders: topology.holders() }),
      ({ status, holders }) => holders.length === 1 && status.problems.length === 0,
      { withinMs: 60_000, everyMs: 200, show: () => director.lines.slice(-20).join("\n") },
    );
  });
  after(() => topology?.close());

  /** What ipvsadm counts, by `listen` and by `listen server`. */
  function counted(): ReadonlyMap<string, Numbers> {
    const found = new Map<string, Numbers>();
    let listen = "";
    for (const line of topology.lb(1).exec(["ipvsadm", "-Ln", "--stats", "--exact"]).split("\n")) {
      const [, isService, endpoint = "", ...numbers] = STATISTICS.exec(line) ?? [];
      if (endpoint === "") continue;
      if (isService !== undefined) listen = endpoint;
      found.set(isService === undefined ? `${listen} ${endpoint}` : listen, numbers.map(Number));
    }
    return found;
  }

  /** The same by the metrics; -1 for what they leave out. */
  function told(scrape: Scrape): ReadonlyMap<string, Numbers> {
    const found = new Map<string, Numbers>();
    for (const sample of scrape.keys()) {
      const [, kind, labels = ""] = /^holdfast_(service|server)_connections_total\{(.*)\}$/.exec(sample) ?? [];
      if (kind === undefined) continue;
      const listen = /listen="tcp:\/\/([^"]*)"/.exec(labels)?.[1] ?? "";
      const server = /server="([^"]*)"/.exec(labels)?.[1];
      const of = (name: string, more: string) => scrape.get(`holdfast_${kind}_${name}{${labels}${more}}`) ?? -1;
      found.set(server === undefined ? listen : `${listen} ${server}`, [
        of("connections_total", ""),
        of("packets_total", ',direction="in"'),
        of("packets_total", ',direction="out"'),
        of("bytes_total", ',direction="in"'),
        of("bytes_total", ',direction="out"'),
      ]);
    }
    return found;
  }

  const sorted = (map: ReadonlyMap<string, Numbers>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

  it(`equal ipvsadm's after ${REQUESTS} requests: connections, packets and bytes of services and servers`, async function () {
    this.timeout(120_000);
    const answers = await curl(topology.client, `http://${vip()}:${PORT}/`, REQUESTS);
    assert.deepEqual([...answers.values()], [REQUESTS / 2, REQUESTS / 2], JSON.stringify([...answers]));
    // One that nobody answers: what comes in is counted, and nothing goes out by way of the director.
    await topology.client.execAsync(["curl", "--silent", "--max-time", "1", `http://${vip()}:${DIRECT}/`]);
    const direct = `${vip()}:${DIRECT}`;
    const { seen } = await waitFor(
      "both say the same",
      async () => ({ told: told(parseScrape(await controlScrape(director))), counted: counted() }),
      (both) =>
        both.counted.size === 6 &&
        sorted(both.counted).every(([key, numbers]) =>
          // For dr ipvsadm shows a 0 that is no count.
          numbers.every(
            (number, index) =>
              both.told.get(key)?.[index] === (key.startsWith(direct) && (index === 2 || index === 4) ? -1 : number),
          ),
        ),
      { withinMs: 60_000, everyMs: 500 },
    );
    const [connections = 0, , packetsOut = 0, bytesIn = 0] = seen.counted.get(`${vip()}:${PORT}`) ?? [];
    assert.equal(connections, REQUESTS);
    assert.ok(packetsOut >= REQUESTS * 4 && bytesIn > REQUESTS * 200, JSON.stringify(sorted(seen.counted)));
    assert.ok((seen.counted.get(direct)?.[0] ?? 0) >= 1);
    for (const [key, numbers] of sorted(seen.told)) console.log(`        ${key}: ${numbers.join(" ")}`);
  });

  it("status tells the connections that the kernel holds", async function () {
    this.timeout(60_000);
    await waitFor(
      "the same as ipvsadm",
      async () => {
        const lines = topology.lb(1).exec(["ipvsadm", "-Ln"]).split("\n");
        const rows = lines.flatMap(
          (line) => /->\s+(\S+:\d+)\s+\w+\s+\d+\s+(\d+)\s+(\d+)/.exec(line)?.slice(1, 4).join(" ") ?? [],
        );
        const servers = (await statusOf(director)).services.flatMap((service) => service.servers);
        // The table has dr servers under the service's port, which is theirs.
        const told = servers.map(
          ({ server, connections }) => `${server} ${connections?.active} ${connections?.inactive}`,
        );
        return { rows: rows.sort(), told: told.sort() };
      },
      ({ rows, told: mine }) => rows.length === 4 && JSON.stringify(rows) === JSON.stringify(mine),
      { withinMs: 40_000, everyMs: 500 },
    );
  });

  it("promtool finds no fault, and everything that rules and dashboard ask for is there", async () => {
    const text = await controlScrape(director);
    assert.equal(promtoolCheck(text), "");
    const there = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    for (const name of askedNames())
      assert.ok(there.has(name.replace(/_(bucket|sum|count)$/, "")) || there.has(name), name);
  });

  it("counters of the kernel go on when the process that reads them is killed", async function () {
    this.timeout(120_000);
    const before = told(parseScrape(await controlScrape(director))).get(`${vip()}:${PORT}`)?.[0] ?? 0;
    const checker = (await statusOf(director)).processes.find(({ name }) => name === "checker");
    process.kill(checker?.pid ?? 0, "SIGKILL");
    await curl(topology.client, `http://${vip()}:${PORT}/`, 2);
    await waitFor(
      "the next checker tells the old count and two more",
      async () => told(parseScrape(await controlScrape(director))).get(`${vip()}:${PORT}`)?.[0],
      (connections) => connections === before + 2,
      { withinMs: 60_000, everyMs: 500 },
    );
  });
});
