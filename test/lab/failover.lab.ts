// lab-needs: netns
// The master is cut off: how long the client waits, who is master afterwards, and what the return of the cable does.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CutKind } from "./support/hosts.ts";
import { lastWords } from "./support/pair.ts";
import { type Topology, withTopology } from "./support/topology.ts";
import { held, startVrrpPair, watch } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

/** What the machine may add to what the protocol asks; its measured stalls come on top. */
const ALLOWANCE_MS = 20;
const PRIORITIES = [150, 100] as const;

interface Case {
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
];

/** Skew of the backup. @see RFC 9568 section 6.1 */
function skewMs(advertiseMs: number): number {
  return ((256 - PRIORITIES[1]) * advertiseMs) / 256;
}

/** The directors that sent the captured adverts, one entry an advert, by name. */
function senders(topology: Topology, lines: readonly string[]): string[] {
  return adverts(lines).map((advert) => `lb${topology.plan.directors.indexOf(advert.source) + 1}`);
}

/**
 * No flap: lb1, then lb2, and with preemption lb1 again for good. The lesser one may say once more that it was there:
 * the other hears that there were two, and announces its addresses again.
 */
function assertSuccession(sent: readonly string[], preempt: boolean): void {
  const taken = sent.indexOf("lb2");
  assert.ok(taken > 0, `lb1 and then lb2 advertise: ${sent}`);
  const after = sent.slice(taken);
  const back = after.indexOf("lb1");
  if (!preempt) {
    assert.equal(back, -1, `lb1 came back without preemption: ${sent}`);
    return;
  }
  assert.ok(back > 0, `lb1 does not advertise again: ${sent}`);
  const lesser = after.slice(back).filter((name) => name === "lb2").length;
  assert.ok(lesser <= 1, `lb2 went on for ${lesser} adverts after lb1 was back: ${sent}`);
}

describe("failover, seen by the client", () => {
  for (const { advertise, advertiseMs, kind, preempt } of CASES) {
    it(`adverts every ${advertise}, ${kind} cut, preempt ${preempt}`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = await startVrrpPair(topology, {
          advertise,
          preempt: String(preempt),
          priorities: PRIORITIES,
        });
        const capture = await startCapture(topology.client, join(topology.dir, "adverts.pcap"), "eth0", "ip proto 112");
        await waitFor(
          "the client hears lb1's adverts",
          async () => senders(topology, await capture.read()).join(),
          (seen) => /^lb1/.test(seen),
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
        topology.lb(1).restore();
        if (preempt) await held(topology, ["lb1"], directors);
        // Long enough for a flap to show: several intervals of answers, one each millisecond.
        await returning.answers(5 * advertiseMs);
        const back = await returning.stop();
        assert.deepEqual(topology.holders(), [preempt ? "lb1" : "lb2"], lastWords(directors));
        const backMs = advertiseMs + ALLOWANCE_MS + back.stallMs;
        assert.ok(back.gapMs <= backMs, `the return cost ${back.gapMs} ms, more than one interval`);
        assertSuccession(senders(topology, await capture.stop()), preempt);
        console.log(`        ${numbers}; return ${back.gapMs.toFixed(1)} ms`);
      });
    });
  }
});
