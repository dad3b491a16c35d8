import assert from "node:assert/strict";
import { type Director, type PairOptions, startDirector, vrrpYaml } from "./director.ts";
import { lastWords } from "./pair.ts";
import { assertOnlyNetAdmin, ONLY_NET_ADMIN } from "./privileges.ts";
import { type GapProbe, startProbe } from "./probe.ts";
import type { Topology } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** The VIP, and an address that has no part in the failover, as the client sees them from before the fault. */
export async function watch(topology: Topology): Promise<GapProbe> {
  const control = topology.plan.directors[1] ?? "";
  const probe = await startProbe(topology.client, topology.dir, { address: topology.plan.vip, control });
  await probe.answers(200);
  return probe;
}

/** Waits until exactly these directors hold the VIP. */
export async function held(topology: Topology, by: readonly string[], directors: readonly Director[]): Promise<void> {
  await waitFor(
    `the VIP is held by ${by.join(" and ") || "nobody"}`,
    () => topology.holders(),
    (seen) => seen.join() === by.join() || directors.some((director) => director.program.hasEnded),
    { withinMs: 20_000, everyMs: 50, show: (seen) => [seen.join(), lastWords(directors)].join("\n") },
  );
  assert.deepEqual(topology.holders(), by, lastWords(directors));
}

/**
 * Two directors without services, lb1 first, so that it is the master also where nobody preempts. Those that speak UDP have
 * CAP_NET_ADMIN alone.
 */
export async function startVrrpPair(topology: Topology, options: PairOptions): Promise<Director[]> {
  const isUdp = options.transport === "udp";
  const wrapper = isUdp ? ONLY_NET_ADMIN : [];
  const directors: Director[] = [];
  for (const number of [1, 2] as const) {
    directors.push(startDirector(topology, topology.lb(number), vrrpYaml(topology, number, options), wrapper));
    await held(topology, ["lb1"], directors);
  }
  await directors[1]?.program.line(/initialize -> backup/);
  if (isUdp) for (const director of directors) await assertOnlyNetAdmin(director);
  return directors;
}
