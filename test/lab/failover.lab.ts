// lab-needs: netns
// The master is cut off: how long the client waits, who is master afterwards, and what the return of the cable does.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Director, type PairOptions, startDirector, vrrpYaml } from "./support/director.ts";
import type { CutKind } from "./support/hosts.ts";
import { largestGapWithin, type Ping, startPing } from "./support/ping.ts";
import { type Topology, withTopology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, type Capture, startCapture, succession } from "./support/witness.ts";

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

/** Two witnesses of one client: the VIP, and an address that has no part in the failover. */
class Watch {
  readonly #vip: Ping;
  readonly #control: Ping;

  private constructor(vip: Ping, control: Ping) {
    this.#vip = vip;
    this.#control = control;
  }

  static async start(topology: Topology): Promise<Watch> {
    const control = topology.plan.directors[1] ?? "";
    const watch = new Watch(
      await startPing(topology.client, topology.dir, topology.plan.vip),
      await startPing(topology.client, topology.dir, control),
    );
    await watch.answers(200);
    return watch;
  }

  answers(count: number): Promise<void> {
    return this.#vip.answers(count, 30_000);
  }

  /** @returns the longest silence of the VIP and what the machine itself contributed to it at most */
  async stop(): Promise<{ gapMs: number; stallMs: number; lost: number }> {
    const vip = await this.#vip.stop();
    const control = await this.#control.stop();
    const end = vip.gapStartMs + vip.largestGapMs;
    return {
      gapMs: vip.largestGapMs,
      stallMs: largestGapWithin(control, vip.gapStartMs - 50, end + 50),
      lost: vip.lost,
    };
  }
}

async function held(topology: Topology, by: readonly string[], directors: readonly Director[]): Promise<void> {
  await waitFor(
    `the VIP is held by ${by.join(" and ") || "nobody"}`,
    () => topology.holders(),
    (seen) => seen.join() === by.join() || directors.some((director) => director.program.hasEnded),
    { withinMs: 20_000, everyMs: 50, show: (seen) => [seen.join(), ...lastWords(directors)].join("\n") },
  );
  assert.deepEqual(topology.holders(), by, lastWords(directors).join("\n"));
}

function lastWords(directors: readonly Director[]): string[] {
  return directors.flatMap((director) => [`-- ${director.host.name}`, ...director.lines.slice(-12)]);
}

/** Names of the directors that sent adverts, in their order. */
async function masters(topology: Topology, capture: Capture): Promise<string[]> {
  const sources = succession(adverts(await capture.stop()));
  return sources.map((source) => `lb${topology.plan.directors.indexOf(source) + 1}`);
}

function startPair(topology: Topology, options: PairOptions): Director[] {
  return ([1, 2] as const).map((number) =>
    startDirector(topology, topology.lb(number), vrrpYaml(topology, number, { ...options, priorities: PRIORITIES })),
  );
}

describe("failover, seen by the client", () => {
  for (const { advertise, advertiseMs, kind, preempt } of CASES) {
    it(`adverts every ${advertise}, ${kind} cut, preempt ${preempt}`, async () => {
      await withTopology({ directors: 2 }, async (topology) => {
        const directors = startPair(topology, { advertise, preempt: String(preempt) });
        await held(topology, ["lb1"], directors);
        const capture = await startCapture(topology.client, join(topology.dir, "adverts.pcap"), "eth0", "ip proto 112");

        const failing = await Watch.start(topology);
        topology.lb(1).cut(kind);
        await failing.answers(advertiseMs);
        const fault = await failing.stop();
        const allowedMs = 3 * advertiseMs + skewMs(advertiseMs) + ALLOWANCE_MS + fault.stallMs;
        const numbers = `gap ${fault.gapMs.toFixed(1)} ms of at most ${allowedMs.toFixed(1)} (stall ${fault.stallMs.toFixed(1)}), ${fault.lost} lost`;
        assert.ok(fault.gapMs <= allowedMs, numbers);
        assert.ok(fault.gapMs > advertiseMs, `the cut was not felt: ${numbers}`);
        // A director that sees its carrier go gives the address up; one that is cut off silently cannot know.
        await held(topology, kind === "carrier" ? ["lb2"] : ["lb1", "lb2"], directors);

        const returning = await Watch.start(topology);
        topology.lb(1).restore();
        if (preempt) await held(topology, ["lb1"], directors);
        // Long enough for a flap to show: several intervals of answers, one each millisecond.
        await returning.answers(5 * advertiseMs);
        const back = await returning.stop();
        assert.deepEqual(topology.holders(), [preempt ? "lb1" : "lb2"], lastWords(directors).join("\n"));
        const backMs = advertiseMs + ALLOWANCE_MS + back.stallMs;
        assert.ok(back.gapMs <= backMs, `the return cost ${back.gapMs} ms, more than one interval`);
        assert.deepEqual(await masters(topology, capture), preempt ? ["lb1", "lb2", "lb1"] : ["lb1", "lb2"]);
        console.log(`        ${numbers}; return ${back.gapMs.toFixed(1)} ms`);
      });
    });
  }

  it("a master that is stopped hands over within the skew, and leaves nothing behind", async () => {
    const advertiseMs = 1000;
    await withTopology({ directors: 2 }, async (topology) => {
      const directors = startPair(topology, { advertise: "1s" });
      await held(topology, ["lb1"], directors);
      const watch = await Watch.start(topology);
      await directors[0]?.stop();
      await watch.answers(advertiseMs);
      const { gapMs, stallMs } = await watch.stop();
      assert.equal(directors[0]?.program.exitCode, 0, lastWords(directors).join("\n"));
      assert.deepEqual(topology.holders(), ["lb2"]);
      const allowedMs = skewMs(advertiseMs) + ALLOWANCE_MS + stallMs;
      assert.ok(gapMs <= allowedMs, `gap ${gapMs} ms, allowed ${allowedMs} ms`);
      console.log(`        gap ${gapMs.toFixed(1)} ms of at most ${allowedMs.toFixed(1)}`);
    });
  });
});
