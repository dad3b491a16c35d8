import { largestGapWithin, startProbe } from "../test/lab/support/probe.ts";
import { withTopology } from "../test/lab/support/topology.ts";
import type { Advert } from "../test/lab/support/witness.ts";
import { AdvertWatch, Switch } from "./advert-watch.ts";
import { DAEMONS } from "./daemons.ts";
import type { Figures } from "./figures.ts";
import { PRIORITIES, RouterPair } from "./routers.ts";

/** What the machine may add to what the protocol asks. */
const ALLOWANCE_MS = 20;
/** Answers before a fault, so that a gap is one and not the beginning; one each millisecond. */
const ANSWERS_BEFORE = 200;
/** Answers after a takeover: the farewell of a handover lasts a second, and what it spoils should be seen. */
const ANSWERS_AFTER = 1_300;

export interface FailoverOptions {
  readonly rounds: number;
  readonly advertiseMs: readonly number[];
  readonly isRealtime: boolean;
  /** In each round, half of them there and half of them back. */
  readonly handovers: number;
}

/** The protocol's times for the backup. @see RFC 9568 section 6.1 */
function boundsOf(advertiseMs: number): { readonly downMs: number; readonly skewMs: number } {
  const skewMs = ((256 - PRIORITIES[1]) * advertiseMs) / 256;
  return { downMs: 3 * advertiseMs + skewMs, skewMs };
}

interface Scene {
  readonly pair: RouterPair;
  readonly watch: AdvertWatch;
  readonly cables: Switch;
  readonly advertiseMs: number;
  readonly isRealtime: boolean;
  readonly handovers: number;
  readonly figures: Figures;
}

/** What a change of masters looked like from the client. */
interface Seen {
  readonly gapMs: number;
  /** From the last advert of the old master to the first of the new one. */
  readonly silenceMs: number;
  /** From the first advert of the new master to the end of the gap; only where the gap ends after it. */
  readonly serviceMs: number;
  /** Longest silence during the gap of an address that has no part in this: the machine itself. */
  readonly stallMs: number;
  /** Questions without an answer, of one each millisecond. */
  readonly lost: number;
}

/**
 * Failover as a client sees it, by a probe each millisecond: cut off, killed, stopped, handed over.
 * @returns what went wrong, one sentence for each pair that could not be measured
 */
export async function benchFailover(figures: Figures, options: FailoverOptions): Promise<readonly string[]> {
  const { isRealtime, handovers } = options;
  /** At most one for each pair. */
  const failures: string[] = [];
  await withTopology({ directors: 2 }, async (topology) => {
    const cables = new Switch();
    const watch = await AdvertWatch.up(topology.client);
    try {
      for (let round = 0; round < options.rounds; round += 1) {
        for (const advertiseMs of options.advertiseMs) {
          for (const name of DAEMONS) {
            try {
              const pair = await RouterPair.up(name, topology, { advertiseMs, isRealtime });
              await allCases({ pair, watch, cables, advertiseMs, isRealtime, handovers, figures });
            } catch (thrown) {
              failures.push(`failover, ${advertiseMs} ms, ${name}: ${(thrown as Error).message}`);
              console.error(`bench: ${failures.at(-1)}`);
            }
            cables.restore(topology.lb(1));
          }
        }
      }
    } finally {
      await watch.down();
      cables.close();
    }
  });
  return failures;
}

/** In this order: each leaves the pair as the next needs it, lb1 master and lb2 its backup. */
async function allCases(scene: Scene): Promise<void> {
  try {
    await cutOff(scene);
    await killed(scene);
    if (scene.pair.name === "holdfast") await handedOver(scene);
    await stopped(scene);
  } finally {
    await scene.pair.down();
  }
}

/** Right after an advert, when the backup has to wait longest: cut at any time, chance would be in the figures. */
async function cutOff(scene: Scene): Promise<void> {
  const { pair, watch, cables } = scene;
  const lb1 = pair.topology.lb(1);
  const seen = await observed(scene, 1, () => watch.actUpon(addressOf(scene, 1), () => cables.cut(lb1)));
  cables.restore(lb1);
  await pair.heldBy("lb1");
  const { downMs } = boundsOf(scene.advertiseMs);
  addGap(scene, "cut off", seen, downMs);
  add(scene, "cut off: last advert to the successor's", seen.silenceMs, downMs);
  add(scene, "cut off: the successor's advert to its answer", seen.serviceMs);
}

/** SIGKILL to every process. The addresses stay, and the dead master's kernel answers on until neighbours hear otherwise. */
async function killed(scene: Scene): Promise<void> {
  const { pair, watch } = scene;
  const pids = pair.pids(1);
  const kill = (): void => {
    for (const pid of pids) process.kill(pid, "SIGKILL");
  };
  const seen = await observed(scene, 1, () => watch.actUpon(addressOf(scene, 1), kill));
  await pair.bury(1);
  const { downMs } = boundsOf(scene.advertiseMs);
  addGap(scene, "killed", seen, downMs);
  add(scene, "killed: last advert to the successor's", seen.silenceMs, downMs);
  pair.start(1);
  await pair.heldBy("lb1");
}

/** There, and back again by the other's handover: values of one kind. */
async function handedOver(scene: Scene): Promise<void> {
  for (let number = 0; number < scene.handovers; number += 1) {
    const from = number % 2 === 0 ? 1 : 2;
    const seen = await observed(scene, from, async () => {
      const { status, stderr } = await scene.pair.director(from).command(["handover", "outside"]);
      if (status !== 0) throw new Error(`holdfast handover on lb${from}: exit ${status}: ${stderr}`);
    });
    await scene.pair.heldBy(`lb${3 - from}`);
    addGap(scene, "handover", seen, boundsOf(scene.advertiseMs).skewMs);
    scene.figures.add(
      partOf(scene),
      "handover: answers missing, of one each millisecond",
      "",
      scene.pair.name,
      seen.lost,
    );
  }
}

async function stopped(scene: Scene): Promise<void> {
  const { pair } = scene;
  const seen = await observed(scene, 1, async () => pair.program(1).signal("SIGTERM"));
  await pair.bury(1);
  addGap(scene, "SIGTERM", seen, boundsOf(scene.advertiseMs).skewMs);
}

function addGap(scene: Scene, what: string, { gapMs, stallMs }: Seen, boundMs: number): void {
  add(scene, `${what}: gap`, gapMs, boundMs);
  add(scene, `${what}: stall of the machine in that gap`, stallMs);
}

function add(scene: Scene, measure: string, ms: number, boundMs?: number): void {
  const { figures, pair } = scene;
  figures.add(partOf(scene), measure, "ms", pair.name, ms);
  if (boundMs !== undefined) figures.allow(partOf(scene), measure, boundMs + ALLOWANCE_MS);
}

function partOf({ advertiseMs, isRealtime }: Scene): string {
  return `failover, adverts each ${advertiseMs} ms${isRealtime ? ", real-time" : ""}`;
}

function addressOf({ pair }: Scene, number: number): string {
  return pair.topology.plan.directors[number - 1] ?? "";
}

/** Probes the address while something happens to its master, until the other has served for a while. */
async function observed(scene: Scene, master: 1 | 2, act: () => Promise<void>): Promise<Seen> {
  const { pair, watch } = scene;
  const { client, dir, plan } = pair.topology;
  const successor = addressOf(scene, 3 - master);
  // The control is the successor's own address: it answers all the time.
  const probe = await startProbe(client, dir, { address: plan.vip, control: successor });
  try {
    await probe.answers(ANSWERS_BEFORE);
    watch.clear();
    await act();
    await watch.until(successor);
    await probe.answers(ANSWERS_AFTER);
  } catch (thrown) {
    await probe.stop();
    throw new Error(`${(thrown as Error).message}\n${pair.lastWords()}`);
  }
  const { watched, control } = await probe.reports();
  const endMs = watched.gapStartMs + watched.largestGapMs;
  const { lastMs, firstMs } = succession(watch.heard, addressOf(scene, master), successor);
  return {
    gapMs: watched.largestGapMs,
    silenceMs: firstMs - lastMs,
    serviceMs: endMs - firstMs,
    stallMs: largestGapWithin(control, watched.gapStartMs, endMs),
    lost: watched.lost,
  };
}

/** The last advert of the old master and the first of the new one after it; of either none that says priority 0. */
function succession(heard: readonly Advert[], master: string, successor: string): { lastMs: number; firstMs: number } {
  const alive = heard.filter(({ priority }) => priority > 0);
  const last = alive.findLastIndex(({ source }) => source === master);
  const first = alive.slice(last + 1).find(({ source }) => source === successor);
  return { lastMs: alive[last]?.atMs ?? Number.NaN, firstMs: first?.atMs ?? Number.NaN };
}
