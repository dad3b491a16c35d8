// lab-needs: netns
// What goes over the wire, as tcpdump reads it, and what the kernel tells about addresses and interfaces.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Running, runAsync } from "./support/commands.ts";
import { type Director, startDirector } from "./support/director.ts";
import type { Host } from "./support/hosts.ts";
import { OUTSIDE, type Topology, withTopology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture } from "./support/witness.ts";

/** Adverts each second: the default. */
const DOWN_MS = 3000 + (1000 * (256 - 150)) / 256;
/** From the kernel's news to what holdfast makes of it; a shared machine may add some. */
const AT_ONCE_MS = 50;

function yamlOf(topology: Topology, priority: number, more = ""): string {
  return `node: n\nvrrp: { instances: { web4: { interface: eth0, vrid: 51, priority: ${priority}, addresses: [${topology.plan.vip}/32]${more} } } }\n`;
}

async function held(topology: Topology, by: string, director: Director): Promise<number> {
  const { tookMs } = await waitFor(
    `the VIP is held by ${by || "nobody"}`,
    () => topology.holders().join(),
    (seen) => seen === by,
    { withinMs: 15_000, everyMs: 10, show: (seen) => [seen, ...director.lines].join("\n") },
  );
  return tookMs;
}

function listen(topology: Topology, host: Host, filter: string): Promise<Capture> {
  return startCapture(host, join(topology.dir, `${host.name}-${process.hrtime.bigint()}.pcap`), "eth0", filter);
}

/** A capture in tcpdump's fullest words: one string a packet. */
async function inFull(capture: Capture): Promise<string[]> {
  await capture.stop();
  const { stdout } = await runAsync(["tcpdump", "-tt", "-nn", "-e", "-vvv", "-r", capture.file]);
  return stdout
    .replaceAll(/\n\s+/g, " ")
    .split("\n")
    .filter((line) => line !== "");
}

const atMs = (line: string): number => Number(line.split(" ", 1)[0]) * 1000;

/** `ip monitor`, which writes down the kernel's news as they come, with the time. */
async function startMonitor(host: Host): Promise<Running> {
  const monitor = host.start(["stdbuf", "-oL", "ip", "-ts", "-o", "monitor", "link", "address"], {
    name: `ip monitor on ${host.name}`,
  });
  // It has subscribed once it tells of a change.
  await waitFor(
    "ip monitor hears",
    () => {
      host.exec(["ip", "link", "set", "lo", "mtu", String(60_000 + Math.floor(Math.random() * 5000))]);
      return monitor.lines.length;
    },
    (count) => count > 0,
    { withinMs: 5_000 },
  );
  return monitor;
}

/** When `ip monitor` first told of something after the first `after` lines; waits for the line to come. */
async function toldMs(monitor: Running, after: number, pattern: RegExp): Promise<number> {
  const { seen } = await waitFor(
    `ip monitor tells ${pattern}`,
    () => monitor.lines.slice(after).find((text) => pattern.test(text)),
    (line) => line !== undefined,
    { withinMs: 5_000, show: () => monitor.lines.join("\n") },
  );
  const time = /\[(\d{4}-\d\d-\d\dT[\d:.]+)\]/.exec(seen ?? "")?.[1];
  assert.ok(time !== undefined, `no time in: ${seen}`);
  return Date.parse(`${time}Z`);
}

describe("vrrp on the wire", () => {
  it("sends adverts as the RFC asks, then announces: five now, five after five seconds", async () => {
    await withTopology({ directors: 1 }, async (topology) => {
      const { vip, directors } = topology.plan;
      const capture = await listen(topology, topology.client, `ip proto 112 or (arp and arp host ${vip})`);
      const director = startDirector(topology, topology.lb(1), yamlOf(topology, 150));
      await held(topology, "lb1", director);
      await topology.client.execAsync(["sleep", "6.5"]);
      await director.stop();
      const lines = await inFull(capture);
      const sent = lines.filter((line) => line.includes("VRRPv3"));
      assert.ok(sent.length >= 7, lines.join("\n"));
      for (const line of sent) {
        assert.match(line, /> 01:00:5e:00:00:12, ethertype IPv4/);
        assert.match(line, /tos 0xc0, ttl 255, .*proto VRRP \(112\), length 32\)/);
        assert.ok(line.includes(`${directors[0]} > 224.0.0.18: `), line);
        assert.match(line, /Advertisement, vrid 51, prio (150|0).*, intvl 100cs, length 12, addrs: 192\.0\.2\.100/);
        assert.doesNotMatch(line, /bad/);
      }
      // Nobody is there to succeed: said three times, each given an interval and a sixteenth.
      const releases = sent.slice(-3);
      const regular = sent.slice(0, -3);
      assert.ok(
        releases.every((line) => line.includes("prio 0")),
        "the last words are priority 0",
      );
      assert.ok(!regular.some((line) => line.includes("prio 0")));
      for (const [index, line] of releases.slice(1).entries()) {
        const waitedMs = atMs(line) - atMs(releases[index] ?? "");
        assert.ok(Math.abs(waitedMs - 1062.5) < AT_ONCE_MS, `${waitedMs} ms`);
      }

      const [first] = sent;
      const arps = lines.filter((line) => line.includes("ethertype ARP"));
      assert.equal(arps.length, 10, lines.join("\n"));
      for (const line of arps)
        assert.match(line, /> ff:ff:ff:ff:ff:ff, .*Request who-has 192\.0\.2\.100 .*tell 192\.0\.2\.100/);
      const times = arps.map((line) => atMs(line) - atMs(first ?? ""));
      assert.ok(
        times.every((ms) => ms >= 0),
        "the advert goes first",
      );
      assert.ok(
        times.slice(0, 5).every((ms) => ms < AT_ONCE_MS),
        times.join(),
      );
      assert.ok(
        times.slice(5).every((ms) => Math.abs(ms - 5000) < AT_ONCE_MS),
        times.join(),
      );
      const gaps = regular.slice(1).map((line, index) => atMs(line) - atMs(regular[index] ?? ""));
      assert.ok(
        gaps.every((ms) => Math.abs(ms - 1000) < AT_ONCE_MS),
        `the cadence: ${gaps.join()}`,
      );
      const drift = gaps.reduce((sum, ms) => sum + ms - 1000, 0);
      console.log(
        `        ARP after the advert: ${times.map((ms) => ms.toFixed(1)).join(" ")} ms; drift ${drift.toFixed(1)} ms`,
      );
    });
  });

  it("tcpdump calls a message-only sum bad, so that its silence about the other form means something", async () => {
    await withTopology({ directors: 1 }, async (topology) => {
      const capture = await listen(topology, topology.client, "ip proto 112");
      const director = startDirector(topology, topology.lb(1), yamlOf(topology, 150, ", checksum: message-only"));
      await held(topology, "lb1", director);
      await director.stop();
      const lines = await inFull(capture);
      assert.ok(lines.length > 0);
      for (const line of lines) assert.match(line, /bad vrrp cksum/);
    });
  });
});

describe("vrrp and the interface", () => {
  it("is in fault at once when the carrier goes, waits a full down interval when it returns, and does not flap", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const host = topology.lb(1);
      const director = startDirector(topology, host, yamlOf(topology, 150));
      const other = startDirector(topology, topology.lb(2), yamlOf(topology, 100));
      await held(topology, "lb1", director);
      const monitor = await startMonitor(host);
      const capture = await listen(topology, topology.client, "ip proto 112");
      const before = monitor.lines.length;
      host.cut("carrier");
      await held(topology, "lb2", other);
      const downMs = await toldMs(monitor, before, /eth0.*NO-CARRIER/);
      const goneMs = await toldMs(monitor, before, /Deleted.*eth0.*192\.0\.2\.100/);
      assert.ok(goneMs - downMs <= AT_ONCE_MS, `the address was there ${goneMs - downMs} ms without carrier`);

      const said = director.lines.length;
      const returned = monitor.lines.length;
      host.restore();
      await held(topology, "lb1", director);
      const upMs = await toldMs(monitor, returned, /eth0.*LOWER_UP/);
      const heldMs = await toldMs(monitor, returned, /eth0.*192\.0\.2\.100/);
      const waitedMs = heldMs - upMs;
      assert.ok(
        waitedMs >= DOWN_MS - AT_ONCE_MS && waitedMs <= DOWN_MS + 4 * AT_ONCE_MS,
        `${waitedMs} ms, not ${DOWN_MS}`,
      );
      await topology.client.execAsync(["sleep", "3"]);
      const changes = director.lines.slice(said).filter((line) => line.includes(" -> "));
      assert.equal(changes.length, 2, changes.join("\n"));
      assert.deepEqual(topology.holders(), ["lb1"]);
      await capture.stop();
      console.log(
        `        address gone ${goneMs - downMs} ms after the carrier; back after ${waitedMs} ms (down interval ${DOWN_MS.toFixed(0)})`,
      );
    });
  });

  it("resigns at once when the interface loses its own address", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const host = topology.lb(1);
      const director = startDirector(topology, host, yamlOf(topology, 150));
      const other = startDirector(topology, topology.lb(2), yamlOf(topology, 100));
      await held(topology, "lb1", director);
      const capture = await listen(topology, topology.client, "ip proto 112");
      const own = topology.plan.directors[0] ?? "";
      host.exec(["ip", "address", "delete", `${own}/24`, "dev", "eth0"]);
      const tookMs = await held(topology, "lb2", other);
      const goodbye = adverts(await capture.stop()).find(({ priority }) => priority === 0);
      assert.equal(goodbye?.source, own, "said goodbye under the address that it had");
      assert.ok(tookMs < 609 + 4 * AT_ONCE_MS, `${tookMs} ms`);
      await director.program.line(/master -> fault: interface has no IPv4 address/);
    });
  });

  it("puts back a VIP that was deleted by hand, and announces it", async () => {
    await withTopology({ directors: 1 }, async (topology) => {
      const host = topology.lb(1);
      const director = startDirector(topology, host, yamlOf(topology, 150));
      await held(topology, "lb1", director);
      const monitor = await startMonitor(host);
      const capture = await listen(topology, topology.client, `arp and arp host ${topology.plan.vip}`);
      const before = monitor.lines.length;
      host.exec(["ip", "address", "delete", `${topology.plan.vip}/32`, "dev", "eth0"]);
      await director.program.line(/a virtual address was removed by somebody else/);
      await held(topology, "lb1", director);
      await waitFor(
        "five announcements",
        async () => (await capture.read()).length,
        (count) => count >= 5,
        { withinMs: 2_000 },
      );
      const goneMs = await toldMs(monitor, before, /Deleted.*192\.0\.2\.100/);
      const backMs = await toldMs(monitor, before, /^(?!.*Deleted).*192\.0\.2\.100/);
      assert.ok(backMs - goneMs <= AT_ONCE_MS, `${backMs - goneMs} ms without the address`);
      console.log(`        back ${backMs - goneMs} ms after it was deleted`);
      await director.stop();
      assert.deepEqual(topology.holders(), []);
    });
  });

  it("survives an interface that is deleted and made again", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const host = topology.lb(1);
      const director = startDirector(topology, host, yamlOf(topology, 150));
      const other = startDirector(topology, topology.lb(2), yamlOf(topology, 100));
      await held(topology, "lb1", director);
      host.exec(["ip", "link", "delete", "eth0"]);
      await director.program.line(/master -> fault: interface is (down|missing)/);
      await held(topology, "lb2", other);
      host.plug(OUTSIDE, "eth0", [`${topology.plan.directors[0]}/24`]);
      await director.program.line(/fault -> backup/);
      await held(topology, "lb1", director);
      await director.stop();
      assert.equal(director.program.exitCode, 0, director.lines.join("\n"));
    });
  });

  it("leaves nothing on an interface that gets another name", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const host = topology.lb(1);
      const director = startDirector(topology, host, yamlOf(topology, 150));
      const other = startDirector(topology, topology.lb(2), yamlOf(topology, 100));
      await held(topology, "lb1", director);
      const capture = await listen(topology, topology.client, "ip proto 112");
      host.exec(["ip", "link", "set", "eth0", "name", "wan0"]);
      await director.program.line(/master -> fault: interface is missing/);
      await held(topology, "lb2", other);
      assert.ok(!host.holds(topology.plan.vip), "the address is gone from the device");
      assert.ok(
        adverts(await capture.stop()).some(({ priority }) => priority === 0),
        "goodbye was said through it",
      );
      host.exec(["ip", "link", "set", "wan0", "name", "eth0"]);
      await held(topology, "lb1", director);
    });
  });
});
