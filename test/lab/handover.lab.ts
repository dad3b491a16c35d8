// lab-needs: netns
// Planned handovers as the client sees them: nothing is lost, whoever succeeds, and whatever the client asks meanwhile.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Outcome, runAsync } from "./support/commands.ts";
import { childPid, statusOf } from "./support/daemon.ts";
import { type Director, startDirector, type Transport, vrrpYaml } from "./support/director.ts";
import type { Host } from "./support/hosts.ts";
import { keepalivedInstance, startKeepalived } from "./support/keepalived.ts";
import { lastWords } from "./support/pair.ts";
import { type Topology, withTopology } from "./support/topology.ts";
import { held, startVrrpPair, watch } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const PRIORITIES = [150, 100] as const;
/** What a planned handover may cost a client, beside what the machine itself stalled meanwhile. */
const MEDIAN_MS = 5;
const MAX_MS = 20;

interface Case {
  readonly transport: Transport;
  readonly advertise: string;
  readonly advertiseMs: number;
  readonly rounds: number;
}

/** Those that speak UDP have no packet socket: neither can they announce for their successor. */
const TRANSPORTS = ["multicast", "udp"] as const;
const CASES: readonly Case[] = TRANSPORTS.flatMap((transport) => [
  { transport, advertise: "1s", advertiseMs: 1000, rounds: transport === "udp" ? 2 : 3 },
  { transport, advertise: "100ms", advertiseMs: 100, rounds: 3 },
  { transport, advertise: "10ms", advertiseMs: 10, rounds: 3 },
]);

type Way = "stop" | "handover";

/** Lets lb1 go in one of the ways while the client probes. @returns the gap without what the machine stalled meanwhile */
async function letGo(topology: Topology, director: Director, way: Way, advertiseMs: number): Promise<number> {
  const probe = await watch(topology);
  if (way === "stop") await director.stop();
  else {
    const { status, stdout, stderr } = await director.command(["handover", "outside"]);
    assert.equal(status, 0, `${stdout}${stderr}\n${lastWords([director])}`);
    assert.match(stdout, /^outside: 192\.0\.2\.12 serves, heard after \d+ ms\n$/);
  }
  // Beyond the farewell and several intervals of the successor.
  await probe.answers(Math.max(1_200, 4 * advertiseMs));
  const { gapMs, stallMs, lost } = await probe.stop();
  console.log(
    `        ${way} at ${advertiseMs} ms adverts: gap ${gapMs.toFixed(1)} ms (stall ${stallMs.toFixed(1)}), ${lost} lost`,
  );
  // One request each millisecond, and late answers count: what is lost was served by nobody.
  assert.ok(lost <= MAX_MS, `${lost} requests were lost`);
  return Math.max(0, gapMs - stallMs);
}

function assertSmooth(gaps: readonly number[]): void {
  const sorted = gaps.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? Number.POSITIVE_INFINITY;
  assert.ok(median <= MEDIAN_MS && (sorted.at(-1) ?? 0) <= MAX_MS, `gaps beside the machine's own stalls: ${sorted}`);
}

/** What stands on the loopback beside its own addresses. */
function copies(host: Host): string[] {
  return host.addresses("lo").filter((address) => address !== "127.0.0.1/8" && address !== "::1/128");
}

/** No copy of the VIP is left on any loopback, and ARP is answered as before. */
function assertNothingLeft(topology: Topology): void {
  for (const host of topology.directors) {
    assert.deepEqual(copies(host), [], `${host.name} keeps copies on lo`);
    assert.equal(host.exec(["sysctl", "-n", "net.ipv4.conf.eth0.arp_ignore"]).trim(), "0");
  }
}

describe("planned handover, seen by the client", () => {
  for (const { transport, advertise, advertiseMs, rounds } of CASES) {
    it(`${transport}, adverts every ${advertise}: a stop costs nothing`, async () => {
      const gaps: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        await withTopology({ directors: 2 }, async (topology) => {
          const directors = await startVrrpPair(topology, { transport, advertise, priorities: PRIORITIES });
          const [lb1] = directors;
          assert.ok(lb1 !== undefined);
          gaps.push(await letGo(topology, lb1, "stop", advertiseMs));
          assert.equal(lb1.program.exitCode, 0, lastWords(directors));
          assert.deepEqual(topology.holders(), ["lb2"]);
          assertNothingLeft(topology);
        });
      }
      assertSmooth(gaps);
    });

    it(`${transport}, adverts every ${advertise}: a handover costs nothing, and the node rests`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, { transport, advertise, priorities: PRIORITIES });
        const [lb1, lb2] = directors;
        assert.ok(lb1 !== undefined && lb2 !== undefined);
        const gaps: number[] = [];
        for (let round = 0; round < rounds; round += 1) {
          gaps.push(await letGo(topology, lb1, "handover", advertiseMs));
          // The higher priority, with preemption on, does not take it back: it was asked to rest.
          assert.deepEqual(topology.holders(), ["lb2"], lastWords(directors));
          const back: Outcome = await lb2.command(["handover", "outside"]);
          assert.equal(back.status, 0, back.stderr);
          await held(topology, ["lb1"], directors);
          await waitFor(
            "lb2 has said farewell",
            () => copies(topology.lb(2)).join(),
            (seen) => seen === "",
            { withinMs: 5_000 },
          );
        }
        assertNothingLeft(topology);
        assertSmooth(gaps);
      });
    });
  }

  it("a node that rests does so also when its vrrp process was killed", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: "100ms", priorities: PRIORITIES });
      const [lb1, lb2] = directors;
      assert.ok(lb1 !== undefined && lb2 !== undefined);
      await letGo(topology, lb1, "handover", 100);
      process.kill(await childPid(lb1, "vrrp"), "SIGKILL");
      await waitFor(
        "lb1 has listened to the master for longer than it needs to preempt",
        async () => (await statusOf(lb1)).instances[0],
        (instance) => instance?.phase === "master" || (instance?.counters.advertsReceived ?? 0) >= 20,
        { withinMs: 20_000, show: () => lastWords(directors) },
      );
      const status = await statusOf(lb1);
      assert.deepEqual(
        [status.processes[0]?.restarts, status.instances[0]?.isResting, topology.holders()],
        [1, true, ["lb2"]],
        lastWords(directors),
      );
      await lb2.stop();
      await held(topology, ["lb1"], [lb1]);
    });
  });

  for (const transport of TRANSPORTS) {
    it(`${transport}: a client that asks for the address all the time is not led astray`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, { transport, advertise: "1s", priorities: PRIORITIES });
        const [lb1] = directors;
        assert.ok(lb1 !== undefined);
        // Forgets the neighbour every other millisecond, and so asks again: whose answer it believes is chance.
        const forgetful = topology.client.start(
          ["sh", "-c", `while :; do ip neigh del ${topology.plan.vip} dev eth0 2>/dev/null; sleep 0.002; done`],
          { name: "a forgetful client" },
        );
        const gap = await letGo(topology, lb1, "stop", 1000);
        await forgetful.stop();
        assert.ok(gap <= MAX_MS, `gap ${gap} ms`);
      });
    });
  }

  it("udp: a client that was told wrong in the moment of the change is put right before the old master forgets the address", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { transport: "udp", advertise: "100ms", priorities: PRIORITIES });
      const [lb1, lb2] = directors;
      assert.ok(lb1 !== undefined && lb2 !== undefined);
      const { client, plan } = topology;
      const [mac1, mac2] = [1, 2].map((number) => topology.lb(number).mac());
      const probe = await watch(topology);
      const stopped = lb1.stop();
      await lb2.program.line(/backup -> master/);
      // As after an answer of the old master that was late.
      client.exec(["ip", "neigh", "replace", plan.vip, "lladdr", mac1 ?? "", "dev", "eth0", "nud", "reachable"]);
      const { tookMs } = await waitFor(
        "the client knows lb2",
        () => client.exec(["ip", "neigh", "show", plan.vip]),
        (line) => line.includes(mac2 ?? ""),
        { withinMs: 3_000, everyMs: 5, show: (line) => `${line}\n${lastWords(directors)}` },
      );
      await stopped;
      await probe.answers(1_200);
      const { gapMs, stallMs } = await probe.stop();
      console.log(
        `        put right after ${tookMs.toFixed(0)} ms: gap ${gapMs.toFixed(1)} ms (stall ${stallMs.toFixed(1)})`,
      );
      assert.ok(gapMs - stallMs <= MAX_MS, `gap ${gapMs} ms, stall ${stallMs} ms`);
    });
  });

  it("announces for the successor with its address, as tcpdump sees it", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: "100ms", priorities: PRIORITIES });
      const capture = await startCapture(
        topology.client,
        join(topology.dir, "arp.pcap"),
        "eth0",
        "arp or ip proto 112",
      );
      await directors[0]?.stop();
      const [mac1, mac2] = [1, 2].map((number) => topology.lb(number).mac());
      const forSuccessor = (frames: readonly ArpFrame[]) =>
        frames.filter((it) => it.from === mac1 && it.sender === mac2);
      let frames: readonly ArpFrame[] = [];
      await waitFor(
        "the last announcement for the successor",
        async () => {
          frames = await arpFrames(capture.file);
          return forSuccessor(frames).length;
        },
        (seen) => seen >= 4,
        { withinMs: 5_000, show: () => JSON.stringify({ mac1, mac2, frames }) },
      );
      assert.equal(forSuccessor(frames).length, 4);
      assert.ok(forSuccessor(frames).every(({ address }) => address === topology.plan.vip));
      const sent = adverts(await capture.stop());
      const releases = sent.filter(({ priority, source }) => priority === 0 && source === topology.plan.directors[0]);
      assert.equal(releases.length, 1, "priority 0 is said once");
      const [release] = releases;
      const later = sent.filter(
        ({ atMs, source }) => source === topology.plan.directors[0] && atMs > (release?.atMs ?? 0),
      );
      assert.deepEqual(later, [], "and nothing after it");
    });
  });

  it("keepalived succeeds without a gap, too", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const { vip } = topology.plan;
      const lb1 = startDirector(
        topology,
        topology.lb(1),
        vrrpYaml(topology, 1, { advertise: "1s", priorities: PRIORITIES }),
      );
      await held(topology, ["lb1"], [lb1]);
      const keepalived = startKeepalived(topology, topology.lb(2), keepalivedInstance({ priority: 100, address: vip }));
      await keepalived.line(/BACKUP STATE/i);
      const gap = await letGo(topology, lb1, "stop", 1000);
      assert.ok(gap <= MAX_MS, `gap ${gap} ms\n${keepalived.lines.slice(-10).join("\n")}`);
      assert.deepEqual(topology.holders(), ["lb2"]);
    });
  });

  it("with nobody to succeed a handover is refused and the master serves on; a stop proceeds", async () => {
    await withTopology({ directors: 1 }, async (topology) => {
      const lb1 = startDirector(topology, topology.lb(1), vrrpYaml(topology, 1, { advertise: "100ms" }));
      await held(topology, ["lb1"], [lb1]);
      const { status, stderr } = await lb1.command(["handover", "outside"]);
      assert.equal(status, 1);
      assert.match(stderr, /^holdfast: no handover: outside: no other director answered within \d+ms\.\n$/);
      assert.deepEqual(topology.holders(), ["lb1"]);
      const unknown = await lb1.command(["handover", "nosuch"]);
      assert.deepEqual(
        [unknown.status, unknown.stderr],
        [1, "holdfast: no handover: there is no instance nosuch; there is only outside.\n"],
      );
      await lb1.stop();
      assert.equal(lb1.program.exitCode, 0, lastWords([lb1]));
      assert.deepEqual(topology.holders(), []);
      assertNothingLeft(topology);
    });
  });

  it("a reload that moves an instance to another VRID hands over first", async () => {
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = await startVrrpPair(topology, { advertise: "100ms", priorities: PRIORITIES });
      const [lb1] = directors;
      assert.ok(lb1 !== undefined);
      const probe = await watch(topology);
      const yaml = vrrpYaml(topology, 1, { advertise: "100ms", priorities: PRIORITIES });
      const { status, stderr } = await lb1.reload(yaml.replace("outside:", "elsewhere:"));
      assert.equal(status, 0, stderr);
      await lb1.program.line(/instance elsewhere .* -> master/);
      await held(topology, ["lb1"], directors);
      await probe.answers(1_000);
      const { gapMs, stallMs } = await probe.stop();
      assert.ok(gapMs - stallMs <= MAX_MS, `gap ${gapMs} ms, stall ${stallMs} ms`);
    });
  });
});

interface ArpFrame {
  /** Source of the Ethernet frame. */
  readonly from: string;
  /** The sender's hardware and protocol address in the ARP packet. */
  readonly sender: string;
  readonly address: string;
}

/** The ARP frames of a capture, from tcpdump's bytes. */
async function arpFrames(file: string): Promise<ArpFrame[]> {
  const { stdout } = await runAsync(["tcpdump", "-nn", "-t", "-xx", "-r", file, "arp"]);
  return stdout.split(/^(?=\S)/m).flatMap((packet) => {
    const hex = [...packet.matchAll(/^\s+0x[0-9a-f]+:\s+(.*)$/gm)]
      .map(([, bytes = ""]) => bytes.replace(/\s/g, ""))
      .join("");
    if (hex.length < 84) return [];
    const mac = (from: number) => (hex.slice(2 * from, 2 * from + 12).match(/../g) ?? []).join(":");
    const address = [28, 29, 30, 31].map((at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16)).join(".");
    return [{ from: mac(6), sender: mac(22), address }];
  });
}
