import assert from "node:assert/strict";
import type { Host } from "./hosts.ts";
import { lastWords, type Pair, serving, startPair, webYaml } from "./pair.ts";
import { type Gap, startProbe } from "./probe.ts";
import type { Method } from "./topology.ts";
import { waitFor } from "./wait.ts";
import { type Answers, curl, weights } from "./witness.ts";

/** What the demo saw, for whoever wants to judge it. */
export interface DemoFacts {
  readonly answers: ReadonlyMap<Method, Answers>;
  /** While one real server was down. */
  readonly withoutOne: Answers;
  /** Through the second director, after the first was cut off. */
  readonly afterTakeover: Answers;
  readonly gap: Gap;
}

const REQUESTS = 30;
/** What a takeover may take by the protocol: three adverts of 1 s and the skew of priority 100. */
export const TAKEOVER_MS = 3000 + Math.round((1000 * (256 - 100)) / 256);

const METHOD_WORDS: Readonly<Record<Method, string>> = {
  nat: "nat: the director rewrites addresses, requests and answers both pass it",
  dr: "dr: the director passes frames on unchanged, servers answer the client directly",
  tun: "tun: the director wraps packets in IPIP, servers unwrap them and answer the client directly",
};

type Say = (line?: string) => void;

function showTable(say: Say, host: Host): void {
  say(`    ${host.name}# ipvsadm -Ln`);
  for (const line of host.exec(["ipvsadm", "-Ln"]).trimEnd().split("\n")) say(`      ${line}`);
}

function words(answers: Answers): string {
  return [...answers]
    .sort()
    .map(([who, count]) => `${who} ${count}`)
    .join(", ");
}

async function request(say: Say, { topology }: Pair): Promise<Answers> {
  const { vip } = topology.plan;
  const answers = await curl(topology.client, `http://${vip}/`, REQUESTS);
  say(
    `  The client asks http://${vip}/ ${REQUESTS} times, each time over a new connection. Answers: ${words(answers)}.`,
  );
  return answers;
}

async function shutOneDown(say: Say, pair: Pair): Promise<Answers> {
  const { topology, web } = pair;
  const { vip } = topology.plan;
  const [lb1] = topology.directors;
  assert.ok(lb1 !== undefined);
  say();
  say("Now nginx on rs2 dies. Its check fails twice, one second apart, and rs2 leaves the table:");
  const started = performance.now();
  await web[1]?.stop();
  await waitFor(
    "rs2 leaves the table of lb1",
    () => weights(lb1, vip, 80),
    (seen) => seen.size === 2,
    { withinMs: 30_000, show: () => lastWords(pair.directors) },
  );
  say(`  gone after ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  showTable(say, lb1);
  const answers = await request(say, pair);
  say("  nginx on rs2 is started again, its check passes twice, and rs2 is back.");
  await web[1]?.start();
  await serving(pair, 3);
  return answers;
}

async function cutOff(say: Say, pair: Pair): Promise<{ readonly gap: Gap; readonly afterTakeover: Answers }> {
  const { topology, directors } = pair;
  const { vip } = topology.plan;
  const [lb1, lb2] = topology.directors;
  assert.ok(lb1 !== undefined && lb2 !== undefined);
  say();
  say(`Now somebody pulls the plug of lb1, which holds ${vip}. The client goes on probing the address every 10 ms.`);
  const control = topology.plan.directors[1] ?? "";
  const probe = await startProbe(topology.client, topology.dir, { address: vip, control, everyMs: 10 });
  await probe.answers(50);
  lb1.cut("carrier");
  await waitFor(
    "lb2 holds the VIP",
    () => lb2.holds(vip),
    (holds) => holds,
    { withinMs: 30_000, everyMs: 50, show: () => lastWords(directors) },
  );
  await probe.answers(50);
  const gap = await probe.stop();
  say(`  lb2 has taken over. For the client the address was silent for ${(gap.gapMs / 1000).toFixed(2)} s;`);
  say(
    `  the protocol allows ${(TAKEOVER_MS / 1000).toFixed(2)} s with an advert each second. lb2 had its table ready:`,
  );
  showTable(say, lb2);
  const afterTakeover = await request(say, pair);
  say("  The plug goes back in. lb1 has the higher priority and becomes master again:");
  lb1.restore();
  await serving(pair, 3);
  say(`  ${vip} is on ${topology.holders().join(" and ")}.`);
  return { gap, afterTakeover };
}

/** The main job, from beginning to end, in plain words. */
export async function runDemo(say: Say): Promise<DemoFacts> {
  const answers = new Map<Method, Answers>();
  say("Two directors (lb1, lb2) run holdfast with one configuration file each; three nginx servers (rs1, rs2, rs3)");
  say("of weight 1, 2 and 3 stand behind them, each answers with its own name; a client talks to the virtual address.");
  say();
  say(`First, ${METHOD_WORDS.nat}.`);
  const first = await startPair({ method: "nat" });
  try {
    answers.set("nat", await request(say, first));
    showTable(say, first.topology.lb(1));
  } finally {
    await first.topology.close();
  }

  say();
  say(`Second, ${METHOD_WORDS.dr}.`);
  // Servers that are ready for tun are ready for dr too.
  const pair = await startPair({ method: "tun", forward: "dr" });
  const { topology, directors } = pair;
  try {
    answers.set("dr", await request(say, pair));
    const withoutOne = await shutOneDown(say, pair);
    say();
    say(`Third, ${METHOD_WORDS.tun}.`);
    say("  One word of the configuration changes, and `holdfast reload` applies it:");
    for (const [index, director] of directors.entries()) {
      const { status, stdout, stderr } = await director.reload(webYaml(topology, index === 0 ? 1 : 2, "tun"));
      assert.equal(status, 0, `reload on ${director.host.name}: ${stderr}`);
      if (index === 0) for (const line of stdout.trimEnd().split("\n")) say(`      ${line}`);
    }
    await serving(pair, 3);
    answers.set("tun", await request(say, pair));
    showTable(say, topology.lb(1));
    const { gap, afterTakeover } = await cutOff(say, pair);
    return { answers, withoutOne, gap, afterTakeover };
  } finally {
    await topology.close();
  }
}
