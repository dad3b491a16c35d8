// lab-needs: netns
// The master is cut off: how long the client waits, who is master afterwards, and what the return of the cable does.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFENCE_INTERVAL_US } from "../../src/vrrp/master.ts";
import type { Director, Transport } from "./support/director.ts";
import type { CutKind } from "./support/hosts.ts";
import { controlScrape, parseScrape, sampleOf } from "./support/metrics.ts";
import { lastWords } from "./support/pair.ts";
import { OUTSIDE, type Topology, withTopology } from "./support/topology.ts";
import { held, startVrrpPair, watch } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, datagrams, startCapture } from "./support/witness.ts";

/** What the machine may add to what the protocol asks; its measured stalls come on top. */
const ALLOWANCE_MS = 20;
const PRIORITIES = [150, 100] as const;
/** A master that announced within the last second may answer a lower one by an announcement up to 300 ms later. */
const QUIET_MS = DEFENCE_INTERVAL_US / 1_000;
/** The default of `port`. */
const PORT = 10_112;

interface Case {
  readonly transport?: Transport;
  readonly advertise: string;
  readonly advertiseMs: number;
  readonly kind: CutKind;
  readonly preempt: boolean;
}

const CASES: readonly Case[] = [
  { advertise: "1s", advertiseMs: 1000, kind: "carrier", preempt: true },
  { advertise: "1s", advertiseMs: 1000, kind: "silent", preempt: true },
  { advertise: "100ms", advertiseMs: 100, kind: "carrier", preempt: true },
  { advertise: "100ms", advertiseMs: 100, kind: "silent", preempt: true },
  { advertise: "100ms", advertiseMs: 100, kind: "carrier", preempt: false },
  { transport: "udp", advertise: "1s", advertiseMs: 1000, kind: "silent", preempt: true },
  { transport: "udp", advertise: "100ms", advertiseMs: 100, kind: "carrier", preempt: true },
  { transport: "udp", advertise: "100ms", advertiseMs: 100, kind: "silent", preempt: true },
  { transport: "udp", advertise: "10ms", advertiseMs: 10, kind: "silent", preempt: true },
];

/** Skew of the backup. @see RFC 9568 section 6.1 */
function skewMs(advertiseMs: number): number {
  return ((256 - PRIORITIES[1]) * advertiseMs) / 256;
}

/** A captured advert, by the name of the director that sent it. */
interface Said {
  readonly by: string;
  readonly atMs: number;
}

/** tcpdump does not look into datagrams: those to our port are adverts. */
function said(topology: Topology, lines: readonly string[]): Said[] {
  const { directors } = topology.plan;
  return [...adverts(lines), ...datagrams(lines, PORT)].map(({ source, atMs }) => ({
    by: `lb${directors.indexOf(source) + 1}`,
    atMs,
  }));
}

/**
 * No flap: lb1, then lb2, and with preemption lb1 again for good. The lesser one may say once more that it was there: the
 * other hears that there were two, and announces its addresses again. Its last regular advert may cross the other's first.
 * @param quietMs how soon it is silent
 */
function assertSuccession(sent: readonly Said[], preempt: boolean, quietMs: number): void {
  const told = () => sent.map(({ by, atMs }) => `${by} ${(atMs - (sent[0]?.atMs ?? 0)).toFixed(1)}`).join(", ");
  const taken = sent.findIndex(({ by }) => by === "lb2");
  assert.ok(taken > 0, `lb1 and then lb2 advertise: ${told()}`);
  const back = sent.findIndex(({ by }, index) => index > taken && by === "lb1");
  if (!preempt) {
    assert.equal(back, -1, `lb1 came back without preemption: ${told()}`);
    return;
  }
  assert.ok(back > 0, `lb1 does not advertise again: ${told()}`);
  const lesser = sent.slice(back).findLast(({ by }) => by === "lb2");
  const tookMs = (lesser?.atMs ?? 0) - (sent[back]?.atMs ?? 0);
  assert.ok(tookMs <= quietMs, `lb2 went on for ${tookMs} ms after lb1 was back: ${told()}`);
}

/** Both saw that there were two masters, and tell it to who asks for events and to who counts. */
async function assertSplitSeen(directors: readonly Director[]): Promise<void> {
  for (const director of directors) {
    const { stdout } = await director.command(["events", "--type", "instance"]);
    assert.match(stdout, new RegExp(`instance ${OUTSIDE}\\s+split brain {2}.*master`), lastWords([director]));
    await waitFor(
      "a split brain is counted",
      async () => parseScrape(await controlScrape(director)),
      (scrape) => sampleOf(scrape, `holdfast_vrrp_anomalies_total{vrrp_instance="${OUTSIDE}",kind="split_brain"}`) > 0,
      { withinMs: 10_000 },
    );
  }
}

describe("failover, seen by the client", () => {
  for (const { transport = "multicast", advertise, advertiseMs, kind, preempt } of CASES) {
    it(`${transport}, adverts every ${advertise}, ${kind} cut, preempt ${preempt}`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, {
          transport,
          advertise,
          preempt: String(preempt),
          priorities: PRIORITIES,
        });
        // What one director sends to the other passes the client's switch port by.
        const [witness, filter] =
          transport === "udp" ? [topology.lb(2), `udp port ${PORT}`] : [topology.client, "ip proto 112"];
        const capture = await startCapture(witness, join(topology.dir, "adverts.pcap"), "eth0", filter);
        await waitFor(
          "lb1's adverts are heard",
          async () => said(topology, await capture.read()),
          (seen) => seen[0]?.by === "lb1",
          { withinMs: 10_000 },
        );

        const failing = await watch(topology);
        topology.lb(1).cut(kind);
        await failing.answers(advertiseMs);
        const fault = await failing.stop();
        const allowedMs = 3 * advertiseMs + skewMs(advertiseMs) + ALLOWANCE_MS + fault.stallMs;
        const numbers = `gap ${fault.gapMs.toFixed(1)} ms of at most ${allowedMs.toFixed(1)} (stall ${fault.stallMs.toFixed(1)}), ${fault.lost} lost`;
        assert.ok(fault.gapMs <= allowedMs, numbers);
        assert.ok(fault.gapMs > advertiseMs, `the cut was not felt: ${numbers}`);
        // A director that sees its carrier go gives the address up; one that is cut off silently cannot know.
        await held(topology, kind === "carrier" ? ["lb2"] : ["lb1", "lb2"], directors);

        const returning = await watch(topology);
        await returning.answers(QUIET_MS);
        topology.lb(1).restore();
        if (preempt) await held(topology, ["lb1"], directors);
        // Long enough for a flap to show: several intervals of answers, one each millisecond.
        await returning.answers(5 * advertiseMs);
        const back = await returning.stop();
        assert.deepEqual(topology.holders(), [preempt ? "lb1" : "lb2"], lastWords(directors));
        const backMs = advertiseMs + ALLOWANCE_MS + back.stallMs;
        assert.ok(
          back.gapMs <= backMs,
          `the return cost ${back.gapMs} ms of at most ${backMs}\n${lastWords(directors)}`,
        );
        assertSuccession(said(topology, await capture.stop()), preempt, ALLOWANCE_MS + back.stallMs);
        if (kind === "silent") await assertSplitSeen(directors);
        console.log(`        ${numbers}; return ${back.gapMs.toFixed(1)} ms`);
      });
    });
  }
});
