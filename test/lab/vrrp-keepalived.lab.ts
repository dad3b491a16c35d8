// lab-needs: netns
// One virtual router with Debian's keepalived as the other member: who serves, and what the foreigner says about our packets.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Running } from "./support/commands.ts";
import { type Director, startDirector } from "./support/director.ts";
import { keepalivedInstance, startKeepalived } from "./support/keepalived.ts";
import { type Topology, withTopology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

/** What the machine may add to a time that the protocol sets. */
const ALLOWANCE_MS = 150;

interface Mixed {
  readonly topology: Topology;
  readonly holdfast: Director;
  readonly keepalived: Running;
}

interface Settings {
  /** Priority of holdfast on lb1, of keepalived on lb2. */
  readonly priorities: readonly [number, number];
  readonly intervalsMs?: readonly [number, number];
  readonly checksum?: string;
  readonly transport?: "multicast" | "unicast";
}

async function withMixedPair(
  { priorities, intervalsMs = [200, 200], checksum = "pseudo-header", transport = "multicast" }: Settings,
  use: (pair: Mixed) => Promise<void>,
): Promise<void> {
  await withTopology({ directors: 2 }, async (topology) => {
    const { vip } = topology.plan;
    const [own = "", peer = ""] = topology.plan.directors;
    const cast = transport === "unicast" ? `transport: unicast, peers: [${peer}], ` : "";
    const yaml = `node: lb1\nvrrp: { instances: { mixed: { interface: eth0, vrid: 51, priority: ${priorities[0]}, advertise: ${intervalsMs[0]}ms, ${cast}checksum: ${checksum}, addresses: [${vip}/32] } } }\n`;
    const holdfast = startDirector(topology, topology.lb(1), yaml);
    await holdfast.program.line(/initialize -> backup/);
    const conf = keepalivedInstance({
      priority: priorities[1],
      advertiseS: intervalsMs[1] / 1000,
      address: vip,
      ...(transport === "unicast" ? { unicast: { source: peer, peers: [own] } } : {}),
    });
    const keepalived = startKeepalived(topology, topology.lb(2), conf);
    await use({ topology, holdfast, keepalived });
  });
}

async function held({ topology, holdfast, keepalived }: Mixed, by: readonly string[], withinMs = 10_000) {
  return waitFor(
    `the VIP is held by ${by.join(" and ")}`,
    () => topology.holders().join(),
    (seen) => seen === by.join(),
    { withinMs, everyMs: 20, show: (seen) => [seen, ...holdfast.lines, ...keepalived.lines].join("\n") },
  );
}

/** Neither found fault with a packet of the other. */
function assertContent({ holdfast, keepalived }: Mixed): void {
  assert.deepEqual(
    holdfast.lines.filter((line) => /dropped|checksum/.test(line)),
    [],
  );
  assert.deepEqual(
    keepalived.lines
      // An address drawn by the kernel may spell `bad` in hexadecimal digits.
      .filter((line) => !/Assigned address/.test(line))
      .filter((line) => /checksum|invalid|\bbad\b|dropp|mismatch|bogus|expected/i.test(line)),
    [],
  );
}

describe("one virtual router with keepalived", () => {
  for (const [transport, ...priorities] of [
    ["multicast", 150, 100],
    ["multicast", 100, 150],
    ["unicast", 150, 100],
    ["unicast", 100, 150],
  ] as const) {
    const [master, backup] = priorities[0] > priorities[1] ? ["lb1", "lb2"] : ["lb2", "lb1"];
    const who = master === "lb1" ? "holdfast" : "keepalived";

    it(`${transport}, ${who} as master: the other takes over when it is cut off, and gives way when it is back`, async () => {
      await withMixedPair({ priorities, transport }, async (pair) => {
        const { topology } = pair;
        await held(pair, [master]);
        const host = topology.lb(master === "lb1" ? 1 : 2);
        host.cut("silent");
        // Cut off without a sign it goes on believing, and so do both.
        await held(pair, ["lb1", "lb2"]);
        host.restore();
        await held(pair, [master]);
        await waitFor(
          "clients reach the master",
          async () => (await topology.client.execAsync(["ping", "-c1", "-W1", topology.plan.vip])).status,
          (status) => status === 0,
          { withinMs: 2_000 },
        );
        assertContent(pair);
      });
    });

    it(`${transport}, ${who} as master: the other takes over when it is stopped`, async () => {
      await withMixedPair({ priorities, transport }, async (pair) => {
        await held(pair, [master]);
        // The host that takes over sees the goodbye, and what it sends itself, by whichever transport.
        const capture = await startCapture(
          pair.topology.lb(backup === "lb1" ? 1 : 2),
          join(pair.topology.dir, "adverts.pcap"),
          "eth0",
          "ip proto 112",
        );
        const stopped = master === "lb1" ? pair.holdfast.stop() : pair.keepalived.stop();
        await held(pair, [backup]);
        await stopped;
        const seen = adverts(await capture.stop());
        const goodbye = seen.find(({ priority }) => priority === 0);
        const first = seen.find(({ source }) => source === pair.topology.plan.directors[backup === "lb1" ? 0 : 1]);
        assert.ok(goodbye !== undefined && first !== undefined, JSON.stringify(seen));
        const tookMs = first.atMs - goodbye.atMs;
        const skewMs = ((256 - 100) / 256) * 200;
        assert.ok(
          tookMs >= skewMs - 1 && tookMs <= skewMs + ALLOWANCE_MS,
          `${tookMs} ms after priority 0: ${JSON.stringify(seen)}\n${pair.holdfast.lines.join("\n")}`,
        );
        console.log(
          `        ${backup} advertises ${tookMs.toFixed(1)} ms after priority 0; skew ${skewMs.toFixed(1)} ms`,
        );
        assertContent(pair);
      });
    });
  }

  it("message-only sums: keepalived drops them, both are masters, and holdfast says which form to set", async () => {
    await withMixedPair({ priorities: [150, 100], checksum: "message-only" }, async (pair) => {
      await held(pair, ["lb1", "lb2"]);
      await pair.holdfast.program.line(
        /192\.0\.2\.12 sends the pseudo-header checksum, this node message-only.*set checksum: pseudo-header/,
      );
      // It may send one advert and no more: 2.2.7 starts its advert timer anew with each packet that it drops.
      await pair.keepalived.line(/checksum/i);
      assert.deepEqual(
        pair.holdfast.lines.filter((line) => /dropped/.test(line)),
        [],
        "holdfast accepts both forms",
      );
      const warnings = () => pair.holdfast.lines.filter((line) => /this node message-only/.test(line)).length;
      const before = warnings();
      await pair.topology.client.execAsync(["sleep", "2"]);
      assert.equal(warnings(), before, "said once in each state, not with each advert");
    });
  });

  it("message-only sums: as backup holdfast follows keepalived all the same", async () => {
    await withMixedPair({ priorities: [100, 150], checksum: "message-only" }, async (pair) => {
      await held(pair, ["lb2"]);
      await pair.holdfast.program.line(/set checksum: pseudo-header/);
      // Far longer than its down interval of 722 ms.
      await pair.topology.client.execAsync(["sleep", "2"]);
      assert.deepEqual(pair.topology.holders(), ["lb2"]);
    });
  });

  it("learns the interval from the master, and waits by it", async () => {
    await withMixedPair({ priorities: [100, 150], intervalsMs: [100, 500] }, async (pair) => {
      const { topology } = pair;
      const capture = await startCapture(topology.client, join(topology.dir, "adverts.pcap"), "eth0", "ip proto 112");
      await held(pair, ["lb2"]);
      await pair.holdfast.program.line(/advertises every 500 ms, this node every 100 ms/);
      await topology.client.execAsync(["sleep", "2"]);
      assert.deepEqual(topology.holders(), ["lb2"]);
      topology.lb(2).cut("silent");
      await held(pair, ["lb1", "lb2"]);
      const seen = adverts(await capture.stop());
      const [own, peer] = topology.plan.directors;
      const last = seen.findLast(({ source }) => source === peer);
      const first = seen.find(({ source, atMs }) => source === own && atMs > (last?.atMs ?? 0));
      assert.ok(last !== undefined && first !== undefined, JSON.stringify(seen));
      const tookMs = first.atMs - last.atMs;
      const expectedMs = 3 * 500 + ((256 - 100) / 256) * 500;
      assert.ok(tookMs >= expectedMs - 1 && tookMs <= expectedMs + ALLOWANCE_MS, `${tookMs} ms, not ${expectedMs}`);
      console.log(
        `        first advert ${tookMs.toFixed(1)} ms after the last one of 500 ms; ${expectedMs.toFixed(1)} asked`,
      );
    });
  });
});
