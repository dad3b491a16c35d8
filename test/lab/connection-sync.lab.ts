// lab-needs: ipvs
// Downloads that run while the master changes, planned and unplanned, with the kernel's connection synchronisation between
// the directors; and what it cannot save. Witnesses: curl, nginx, ipvsadm, /proc/net/ip_vs_conn_sync.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./support/commands.ts";
import { applyYaml, statusOf } from "./support/daemon.ts";
import { type Director, startDirector } from "./support/director.ts";
import { addBridge, type Host, removeBridge } from "./support/hosts.ts";
import { lastWords, type Pair, startPair, webYaml } from "./support/pair.ts";
import { FILE_RATE, filesOf } from "./support/servers.ts";
import { waitFor } from "./support/wait.ts";

/** A minute's download: longer than a move and what leads to it. */
const FILE_BYTES = 60 * FILE_RATE;
/** Longer than a stop and what leads to it; a start takes its time in a guest. */
const RESTART_BYTES = 45 * FILE_RATE;
/** Bridge, interface and addresses between the directors. */
const LINK = "private";
const DEVICE = "eth2";
const SYNC = `sync: { instance: outside, interface: ${DEVICE}, id: 7 }\n`;

const content = randomBytes(FILE_BYTES);
const checksum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** A download by curl from a port of the client's, so that it can be told from others in the kernel's tables. */
class Download {
  readonly port: number;
  readonly #size: number;
  readonly #file: string;
  readonly #curl: Running;

  /** @param size bytes of the file from its beginning */
  constructor({ topology }: Pair, port: number, size = FILE_BYTES) {
    this.port = port;
    this.#size = size;
    this.#file = join(topology.dir, `download-${port}`);
    writeFileSync(this.#file, "");
    this.#curl = topology.client.start(
      [
        ...["curl", "--silent", "--show-error", "--noproxy", "*", "--local-port", `${port}`],
        ...["--max-time", "200", "--range", `0-${size - 1}`],
        ...["--output", this.#file, `http://${topology.plan.vip}/files/big`],
      ],
      { name: `curl from port ${port}` },
    );
  }

  get bytes(): number {
    return statSync(this.#file).size;
  }

  /** Waits until it has gone on by this much, which the server has not sent yet. */
  async goesOn(bytes: number): Promise<void> {
    const from = this.bytes;
    assert.ok(from + bytes <= this.#size, `too late to tell: ${from} bytes are here`);
    await waitFor(
      `the download from port ${this.port} goes on by ${bytes} bytes from ${from}`,
      () => this.bytes,
      (now) => now >= from + bytes || this.#curl.hasEnded,
      { withinMs: 60_000, everyMs: 100, show: (now) => `${now} bytes\n${this.#curl.lines.join("\n")}` },
    );
    assert.ok(!this.#curl.hasEnded || this.#curl.exitCode === 0, this.#curl.lines.join("\n"));
  }

  /** Waits for the end: every byte is here, and is what the server has. */
  async completes(): Promise<void> {
    assert.equal(await this.#curl.ended(220_000), 0, this.#curl.lines.join("\n"));
    assert.equal(checksum(readFileSync(this.#file)), checksum(content.subarray(0, this.#size)));
  }

  /** Waits for the end, which is to be a failure. @returns what curl said */
  async fails(): Promise<string> {
    assert.notEqual(await this.#curl.ended(220_000), 0, "it should not have survived");
    return this.#curl.lines.join("\n");
  }
}

/** How a director's kernel knows the connection from a port: LOCAL or SYNC; null if it does not. */
async function originOf(host: Host, port: number): Promise<string | null> {
  const { stdout } = await host.execAsync(["cat", "/proc/net/ip_vs_conn_sync"]);
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const fields = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((line) => line[2] === hex);
  return fields?.[8] ?? null;
}

/** The peer has heard of the connection. */
async function synced(host: Host, port: number): Promise<number> {
  const { tookMs } = await waitFor(
    `${host.name} has heard of the connection from port ${port}`,
    () => originOf(host, port),
    (origin) => origin !== null,
    { withinMs: 20_000, everyMs: 100 },
  );
  return tookMs;
}

/** The daemons as ipvsadm lists them: `backup eth2 7`. */
function daemons(host: Host): string[] {
  const lines = host.exec(["ipvsadm", "-L", "--daemon", "-n"]).split("\n");
  return lines.flatMap((line) => /^(master|backup) .*mcast=([^,]+), syncid=(\d+)/.exec(line)?.slice(1).join(" ") ?? []);
}

async function runs(director: Director, role: "backup" | "master+backup"): Promise<void> {
  const wanted = role === "backup" ? [`backup ${DEVICE} 7`] : [`backup ${DEVICE} 7`, `master ${DEVICE} 7`];
  await waitFor(
    `${director.host.name} runs ${role}`,
    () => daemons(director.host).sort(),
    (seen) => seen.join() === wanted.join(),
    { withinMs: 30_000, everyMs: 200, show: (seen) => `${seen.join()}\n${director.lines.slice(-12).join("\n")}` },
  );
  const { sync, problems } = await statusOf(director);
  assert.deepEqual(sync, { instance: "outside", interface: DEVICE, id: 7, role, note: "" });
  assert.deepEqual(problems, []);
}

async function held({ topology, directors }: Pair, name: string): Promise<void> {
  const addresses = topology.method === "nat" ? [topology.plan.vip, topology.plan.gateway] : [topology.plan.vip];
  await waitFor(
    `${name} alone holds ${addresses.join(" and ")}`,
    () => addresses.map((address) => topology.holders(address).join("+")),
    (seen) => seen.every((holders) => holders === name),
    { withinMs: 30_000, everyMs: 100, show: (seen) => `${seen.join()}\n${lastWords(directors)}` },
  );
}

async function standsBy(director: Director): Promise<void> {
  await waitFor(
    `${director.host.name} is back`,
    async () => (await statusOf(director)).instances.map(({ phase }) => phase),
    (phases) => phases.every((phase) => phase === "backup"),
    { withinMs: 30_000 },
  );
}

/** Every instance of the director makes way, as a person would have it. */
async function handOver({ topology }: Pair, director: Director): Promise<void> {
  const instances = topology.method === "nat" ? ["outside", "gateway"] : ["outside"];
  for (const { status, stdout, stderr } of await Promise.all(
    instances.map((instance) => director.command(["handover", instance])),
  ))
    assert.equal(status, 0, stdout + stderr);
}

for (const method of ["dr", "nat"] as const) {
  describe(`connection synchronisation, ${method}`, function () {
    this.timeout(300_000);
    let pair: Pair;
    let lb1: Director;
    let lb2: Director;

    before(async () => {
      addBridge(LINK);
      pair = await startPair({ method, servers: 2 });
      const [first, second] = pair.directors;
      assert.ok(first !== undefined && second !== undefined);
      [lb1, lb2] = [first, second];
      for (const { host } of pair.topology.servers)
        writeFileSync(join(filesOf(pair.topology.dir, host), "big"), content);
      lb1.host.plug(LINK, DEVICE, ["10.9.0.1/24"]);
      lb2.host.plug(LINK, DEVICE, ["10.9.0.2/24"]);
    });
    after(async () => {
      await pair?.topology.close();
      removeBridge(LINK);
    });

    it("a reload starts the daemons, and sets what they need", async () => {
      const changes = await Promise.all(
        ([1, 2] as const).map((number) =>
          applyYaml(number === 1 ? lb1 : lb2, webYaml(pair.topology, number, method) + SYNC),
        ),
      );
      assert.ok(
        changes[0]?.some((line) => line.includes("master daemon started")),
        changes[0]?.join("\n"),
      );
      await runs(lb1, "master+backup");
      await runs(lb2, "backup");
      for (const { host } of [lb1, lb2]) {
        const values = host.exec(["sysctl", "-n", "net.ipv4.vs.sync_threshold", "net.ipv4.vs.sync_refresh_period"]);
        assert.equal(values.replace(/\s+/g, " ").trim(), "0 0 10");
      }
    });

    it("running downloads go on through a handover, and through a cut of the new master", async () => {
      const first = new Download(pair, 40_001);
      const heardMs = await synced(lb2.host, first.port);
      console.log(`      lb2 heard of the connection ${(heardMs / 1000).toFixed(1)} s after curl was started`);
      assert.equal(await originOf(lb2.host, first.port), "SYNC");
      await first.goesOn(FILE_RATE);
      await handOver(pair, lb1);
      await held(pair, "lb2");
      await first.goesOn(FILE_RATE);
      await runs(lb2, "master+backup");
      await runs(lb1, "backup");

      const second = new Download(pair, 40_002);
      await synced(lb1.host, second.port);
      assert.equal(await originOf(lb1.host, second.port), "SYNC");
      await second.goesOn(FILE_RATE);
      lb2.host.cut("carrier");
      await held(pair, "lb1");
      await second.goesOn(FILE_RATE);
      await Promise.all([first.completes(), second.completes()]);
      lb2.host.restore();
      await runs(lb1, "master+backup");
    });

    if (method === "nat") return;

    it("a download goes on through a restart of its master: through the stop, and through the return", async () => {
      await standsBy(lb2);
      const download = new Download(pair, 40_003, RESTART_BYTES);
      await synced(lb2.host, download.port);
      await download.goesOn(FILE_RATE);
      await lb1.stop();
      await held(pair, "lb2");
      await download.goesOn(FILE_RATE);
      lb1 = startDirector(pair.topology, lb1.host, webYaml(pair.topology, 1, method) + SYNC);
      await held(pair, "lb1");
      await download.goesOn(FILE_RATE);
      await download.completes();
      await runs(lb1, "master+backup");
    });

    it("a connection younger than the kernel's send delay is lost when its master is cut off", async () => {
      await standsBy(lb2);
      const young = await untoldDownload();
      lb1.host.cut("carrier");
      await held(pair, "lb2");
      assert.equal(await originOf(lb2.host, young.port), null);
      assert.match(await young.fails(), /reset by peer/);
      lb1.host.restore();
      lb1.host.exec(["ip", "link", "set", DEVICE, "up"]);
      await held(pair, "lb1");
      await runs(lb1, "master+backup");
    });

    /** One of which the peer has not heard, and cannot hear any more. When the kernel sends is its own affair. */
    async function untoldDownload(): Promise<Download> {
      for (let port = 40_010; port < 40_020; port += 1) {
        const young = new Download(pair, port);
        await waitFor(
          "the download runs",
          () => young.bytes,
          (bytes) => bytes > 0,
          { withinMs: 20_000, everyMs: 5 },
        );
        lb1.host.exec(["ip", "link", "set", DEVICE, "down"]);
        if ((await originOf(lb2.host, port)) === null) return young;
        lb1.host.exec(["ip", "link", "set", DEVICE, "up"]);
        await runs(lb1, "master+backup");
      }
      return assert.fail("every connection was told as soon as it was made");
    }

    it("without it, a handover cuts the download", async () => {
      for (const [director, number] of [
        [lb1, 1],
        [lb2, 2],
      ] as const) {
        const changes = await applyYaml(director, webYaml(pair.topology, number, method));
        assert.ok(changes.includes("connection sync: backup daemon stopped"), changes.join("\n"));
        assert.deepEqual(daemons(director.host), []);
        assert.equal((await statusOf(director)).sync, null);
      }
      const download = new Download(pair, 40_004);
      await download.goesOn(4 * FILE_RATE);
      await handOver(pair, lb1);
      assert.ok(download.bytes < FILE_BYTES, "too late to tell");
      await held(pair, "lb2");
      assert.match(await download.fails(), /reset by peer/);
    });
  });
}
