// lab-needs: ipvs
// Servers that people drain, disable and weigh, on a real kernel: a download that is under way goes on while new connections go
// elsewhere, over the death of the daemon, a restart, a reload and a handover. Witnesses: curl and ipvsadm.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./support/commands.ts";
import { applyYaml, childPid, isRunning, orderTo, startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import type { Host } from "./support/hosts.ts";
import { lastWords, type Pair, startPair } from "./support/pair.ts";
import { FILE_RATE, filesOf, startWeb } from "./support/servers.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl, table } from "./support/witness.ts";

const PORT = 80;
/** For each time that a download is to go on, and some more. */
const FILE_BYTES = 45 * FILE_RATE;
/** A start takes ten seconds in a guest, on a busy machine several times as long. */
const LIMIT_MS = 400_000;

/** What `ipvsadm -Ln` shows of a server: weight and active connections; null = it is not in the table. */
async function seen(host: Host, address: string): Promise<{ readonly weight: number; readonly active: number } | null> {
  const server = (await table(host)).flatMap(({ servers }) => servers).find((one) => one.address === address);
  return server === undefined ? null : { weight: server.weight, active: server.active };
}

function comesTo(
  directors: readonly Director[],
  address: string,
  wanted: { readonly weight: number; readonly active?: number } | null,
  withinMs = 60_000,
) {
  return waitFor(
    `${address} has ${JSON.stringify(wanted)} in the tables`,
    () => Promise.all(directors.map(({ host }) => seen(host, address))),
    (all) =>
      all.every((one) =>
        wanted === null ? one === null : one?.weight === wanted.weight && (wanted.active ?? one.active) === one.active,
      ),
    { withinMs, everyMs: 200, show: (all) => `${JSON.stringify(all)}\n${lastWords(directors)}` },
  );
}

/** A download that the server paces, and that pauses while nobody asks it to go on: its connection stays, however long that takes. */
class Download {
  readonly #file: string;
  readonly #curl: Running;

  constructor(topology: Topology) {
    this.#file = join(topology.dir, "download");
    const url = `http://${topology.plan.vip}/files/big`;
    this.#curl = topology.client.start(
      ["curl", "-sS", "--noproxy", "*", "--max-time", "400", "--output", this.#file, url],
      { name: "download" },
    );
  }

  get bytes(): number {
    return existsSync(this.#file) ? statSync(this.#file).size : 0;
  }

  /** Lets it go on for a while. */
  async goesOn(): Promise<void> {
    this.#curl.signal("SIGCONT");
    const from = this.bytes;
    await waitFor(
      `the download goes on from ${from} bytes`,
      () => this.bytes,
      // More than any buffer on the way holds.
      (now) => now >= from + 6 * FILE_RATE || this.#curl.hasEnded,
      { withinMs: 30_000, everyMs: 100, show: (now) => `${now} bytes\n${this.#curl.lines.join("\n")}` },
    );
    assert.ok(!this.#curl.hasEnded, `the download has ended already:\n${this.#curl.lines.join("\n")}`);
    this.#curl.signal("SIGSTOP");
  }

  async completes(): Promise<string> {
    this.#curl.signal("SIGCONT");
    assert.equal(await this.#curl.ended(250_000), 0, this.#curl.lines.join("\n"));
    return createHash("sha256").update(readFileSync(this.#file)).digest("hex");
  }
}

/** Requests after each other, all answered. @returns who answered */
async function answering(topology: Topology): Promise<readonly string[]> {
  const answers = await curl(topology.client, `http://${topology.plan.vip}/`, 12);
  return [...answers.keys()].sort();
}

describe("a server that is drained, on kernel IPVS", () => {
  describe("nat", function () {
    this.timeout(LIMIT_MS);
    let topology: Topology;
    let director: Director;
    let home: string;
    const rs = (number: number): string => topology.rs(number).address;
    const at = (number: number) => ({ service: "web", server: `${rs(number)}:${PORT}` });
    const weights = [1, 1, 1];

    function yaml(persistence = ""): string {
      const servers = weights.map((weight, index) => `{ address: "${rs(index + 1)}:${PORT}", weight: ${weight} }`);
      const checks = "defaults: { check: { interval: 1s, timeout: 900ms, rise: 1, fall: 3 } }";
      return `node: lb1\nipvs: { onStop: keep }\n${checks}\nservices:\n  web: { listen: "${topology.plan.vip}:${PORT}", scheduler: rr, ${persistence}forward: nat, servers: [${servers.join(", ")}], checks: [tcp] }\n`;
    }
    async function start(): Promise<void> {
      director = startDaemon(topology.lb(1), home, { yaml: yaml() });
      await isRunning(director);
    }
    async function kill(): Promise<void> {
      const children = (await statusOf(director)).processes.map(({ pid }) => pid ?? 0);
      director.program.signal("SIGKILL");
      await waitFor(
        "the daemon and its children end",
        () => children.filter((pid) => existsSync(`/proc/${pid}`)),
        (alive) => alive.length === 0 && director.program.hasEnded,
        { withinMs: 30_000 },
      );
    }

    before(async () => {
      topology = new Topology({ method: "nat", servers: 3, directors: 1 });
      home = join(topology.dir, "home");
      mkdirSync(home);
      topology.lb(1).addAddress(`${topology.plan.vip}/32`, "eth0");
      topology.lb(1).addAddress(`${topology.plan.gateway}/32`, "eth1");
      await startWeb(
        topology.servers.map(({ host }) => host),
        topology.dir,
        { ports: [PORT] },
      );
      await start();
      for (const number of [1, 2, 3]) await comesTo([director], rs(number), { weight: 1 });
    });
    after(() => topology?.close());

    it("a download goes on while others go elsewhere, over SIGKILL, SIGTERM and reload; then the server leaves", async () => {
      const content = randomBytes(FILE_BYTES);
      writeFileSync(join(filesOf(topology.dir, topology.rs(1).host), "big"), content);
      // The next connection goes to the first server, since nobody else takes any.
      for (const number of [2, 3]) await orderTo(director, { type: "weight", ...at(number), weight: 0 });
      const download = new Download(topology);
      await comesTo([director], rs(1), { weight: 1, active: 1 });
      await orderTo(director, { type: "enable", service: "web", server: "all" });
      for (const number of [2, 3]) await comesTo([director], rs(number), { weight: 1 });

      const { servers, warnings } = await orderTo(director, {
        type: "drain",
        ...at(1),
        reason: "new kernel",
        by: "ann",
      });
      assert.deepEqual([servers[0]?.override?.state, warnings], ["draining", []]);
      assert.deepEqual(await seen(topology.lb(1), rs(1)), { weight: 0, active: 1 }, "at once");
      assert.deepEqual(await answering(topology), ["rs2", "rs3"]);
      await waitFor(
        "status tells the connection that is left",
        async () => (await statusOf(director)).services[0]?.servers[0],
        (server) => server?.override?.connections === 1,
        { withinMs: 30_000 },
      );
      await download.goesOn();

      const checker = await childPid(director, "checker");
      process.kill(checker, "SIGKILL");
      await waitFor(
        "another checker process",
        async () => (await isRunning(director)).processes.find(({ name }) => name === "checker")?.pid,
        (pid) => pid !== checker,
        { withinMs: 60_000, everyMs: 200 },
      );
      assert.deepEqual(await seen(topology.lb(1), rs(1)), { weight: 0, active: 1 }, "after the checker's death");

      await kill();
      await start();
      assert.deepEqual(await seen(topology.lb(1), rs(1)), { weight: 0, active: 1 }, "after SIGKILL");
      await download.goesOn();

      await director.stop();
      assert.equal(director.program.exitCode, 0, lastWords([director]));
      await start();
      assert.deepEqual(await seen(topology.lb(1), rs(1)), { weight: 0, active: 1 }, "after a stop and a start");

      weights[0] = 5;
      assert.match((await applyYaml(director, yaml())).join("\n"), /weight changed/);
      assert.deepEqual(await seen(topology.lb(1), rs(1)), { weight: 0, active: 1 }, "after a reload");
      assert.deepEqual(await answering(topology), ["rs2", "rs3"]);
      await download.goesOn();

      const waiting = director.host.start(director.argv(["drain", "web", rs(1), "--wait"]), { name: "drain --wait" });
      await waiting.line(/: 1 connection left$/, 120_000);
      assert.equal(await download.completes(), createHash("sha256").update(content).digest("hex"));
      await comesTo([director], rs(1), null);
      assert.equal(await waiting.ended(60_000), 0, waiting.lines.join("\n"));
      assert.deepEqual(waiting.lines, [
        `web ${rs(1)}:80: draining`,
        `web ${rs(1)}:80: 1 connection left`,
        `web ${rs(1)}:80: drained`,
      ]);
    });

    it("stays out over a restart, and is back with the configured weight when it is enabled", async () => {
      await kill();
      await start();
      for (const number of [2, 3]) await comesTo([director], rs(number), { weight: 1 });
      const { seen: first } = await waitFor(
        "the server is seen up",
        async () => (await statusOf(director)).services[0]?.servers[0],
        (server) => server?.verdict === "up",
        { withinMs: 30_000 },
      );
      assert.equal(await seen(topology.lb(1), rs(1)), null);
      assert.match(first?.why ?? "", /^drained by .*; all checks pass$/);
      const { status, stdout, stderr } = await director.command(["enable", "web", rs(1)]);
      assert.deepEqual([status, stdout, stderr], [0, `web ${rs(1)}:80: drained no more, its checks decide\n`, ""]);
      assert.deepEqual((await seen(topology.lb(1), rs(1)))?.weight, 5);
    });

    it("is sent those whom persistence remembers, unless the kernel is told to forget: the order says so", async () => {
      await orderTo(director, { type: "enable", service: "all", server: rs(1) });
      for (const number of [2, 3]) await orderTo(director, { type: "weight", ...at(number), weight: 0 });
      await applyYaml(director, yaml("persistence: 5m, "));
      await comesTo([director], rs(1), { weight: 5 });
      assert.deepEqual(await answering(topology), ["rs1"]);
      await orderTo(director, { type: "enable", service: "web", server: "all" });
      const { warnings } = await orderTo(director, { type: "drain", ...at(1) });
      assert.match(warnings.join(), /expire_quiescent_template is 0, needed is 1: .* Run `sysctl -w .*=1`/);
      assert.deepEqual(await answering(topology), ["rs1"], "its template stands");
      topology.lb(1).exec(["sysctl", "-q", "-w", "net.ipv4.vs.expire_quiescent_template=1"]);
      assert.ok(!(await answering(topology)).includes("rs1"));
    });

    it("is refused by name when it does not exist", async () => {
      const { status, stderr } = await director.command(["drain", "wbe", rs(1)]);
      assert.deepEqual([status, stderr], [1, "holdfast: drain refused: there is no service wbe; did you mean web?\n"]);
    });
  });

  describe("dr", function () {
    this.timeout(LIMIT_MS);
    let pair: Pair;
    const rs = (number: number) => pair.topology.rs(number).address;
    const order = async (body: Readonly<Record<string, unknown>>) => {
      for (const director of pair.directors) await orderTo(director, { service: "web", ...body });
    };

    before(async () => {
      pair = await startPair({ method: "dr" });
    });
    after(() => pair?.topology.close());

    it("is cut at the deadline, and stays out when the other director takes over", async () => {
      const { topology, directors } = pair;
      const [lb1] = directors;
      assert.ok(lb1 !== undefined);
      writeFileSync(join(filesOf(topology.dir, topology.rs(1).host), "big"), randomBytes(FILE_BYTES));
      for (const number of [2, 3]) await order({ type: "weight", server: rs(number), weight: 0 });
      const download = new Download(topology);
      await comesTo([lb1], rs(1), { weight: 1, active: 1 });
      await order({ type: "enable", server: "all" });
      await order({ type: "drain", server: rs(1), deadline: "15s" });
      await comesTo(directors.slice(0, 1), rs(1), { weight: 0, active: 1 });
      await download.goesOn();
      await comesTo(directors, rs(1), null);
      const override = (await statusOf(lb1)).services[0]?.servers[0]?.override;
      assert.deepEqual([override?.state, override?.cut], ["drained", 1]);

      const { status, stdout, stderr } = await lb1.command(["handover", "outside"]);
      assert.equal(status, 0, `${stdout}${stderr}\n${lastWords(directors)}`);
      await waitFor(
        "lb2 holds the VIP",
        () => topology.holders().join(),
        (holders) => holders === "lb2",
        { withinMs: 20_000 },
      );
      assert.deepEqual(await answering(topology), ["rs2", "rs3"]);
      for (const { host } of directors) assert.equal(await seen(host, rs(1)), null);
    });

    it("comes back by itself when its time is over, and the events say so", async () => {
      const [lb1] = pair.directors;
      assert.ok(lb1 !== undefined);
      await orderTo(lb1, { type: "disable", service: "all", server: rs(2), until: "8s", by: "ann" });
      assert.equal(await seen(lb1.host, rs(2)), null);
      await comesTo([lb1], rs(2), { weight: 2 });
      const told = lb1.lines.filter((line) => line.includes(`server ${rs(2)}:80`)).join("\n");
      assert.match(told, /no override -> disabled: disabled by ann, until /);
      assert.match(told, /disabled -> no override: its time was over at /);
    });
  });
});
