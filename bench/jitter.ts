import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Running } from "../test/lab/support/commands.ts";
import { statusOf } from "../test/lab/support/daemon.ts";
import type { Director } from "../test/lab/support/director.ts";
import { type Topology, withTopology } from "../test/lab/support/topology.ts";
import { type Advert, adverts, startCapture } from "../test/lab/support/witness.ts";
import { DAEMONS, type DaemonName } from "./daemons.ts";
import { type Figures, percentile } from "./figures.ts";
import { planTable, servicesYaml, virtualServers } from "./plan.ts";
import { RouterPair } from "./routers.ts";
import { Servers } from "./servers.ts";

const ADVERTISE_MS = 10;
const SERVICES = 20;
const SERVERS_EACH = 100;
const STATUS_EVERY_MS = 100;
const LOAD = fileURLToPath(new URL("./check-load.js", import.meta.url));
/** Loaded by holdfast before its own program, gives it a table on a kernel without IPVS. */
export const PLAYED_TABLE = new URL("./played-table.js", import.meta.url).href;

export interface JitterOptions {
  readonly rounds: number;
  readonly warmUpS: number;
  readonly measureS: number;
  readonly isRealtime: boolean;
  /**
   * With IPVS each daemon makes the checks. Without it holdfast does too, and writes to a table that is played; beside keepalived
   * another process on its host makes them, which runs holdfast's check runner.
   */
  readonly hasIpvs: boolean;
}

/**
 * One master advertises each 10 ms while 2,000 checks a second are made on its host and status is asked for ten times a
 * second; its peer listens. tcpdump on a third host says when adverts came and whether the peer took over.
 * @returns what went wrong, one sentence for each program that could not be measured
 */
export async function benchJitter(figures: Figures, dir: string, options: JitterOptions): Promise<readonly string[]> {
  const failures: string[] = [];
  await withTopology({ directors: 2 }, async (topology) => {
    const servers = await Servers.up("tcp", dir, topology.lb(1));
    try {
      for (let round = 0; round < options.rounds; round += 1) {
        for (const name of DAEMONS) {
          try {
            await oneProgram(figures, options, { topology, servers, name, round });
          } catch (thrown) {
            failures.push(`jitter, ${name}: ${(thrown as Error).message}`);
            console.error(`bench: ${failures.at(-1)}`);
          }
        }
      }
    } finally {
      await servers.down();
    }
  });
  return failures;
}

interface Setting {
  readonly topology: Topology;
  readonly servers: Servers;
  readonly name: DaemonName;
  readonly round: number;
}

async function oneProgram(figures: Figures, options: JitterOptions, setting: Setting): Promise<void> {
  const { topology, servers, name, round } = setting;
  const { hasIpvs, isRealtime, warmUpS, measureS } = options;
  const plan = planTable(SERVICES, SERVERS_EACH);
  const own = { holdfast: servicesYaml(plan, "tcp"), keepalived: virtualServers(plan, "tcp") };
  const byDaemon = hasIpvs || name === "holdfast";
  const pair = await RouterPair.up(name, topology, {
    advertiseMs: ADVERTISE_MS,
    isRealtime,
    ...(byDaemon ? { master: own } : {}),
    ...(hasIpvs ? {} : { wrapper: ["env", `NODE_OPTIONS=--import=${PLAYED_TABLE}`] }),
  });
  let load: Running | undefined;
  const polling = name === "holdfast" ? new StatusPolling(pair.director(1)) : undefined;
  try {
    if (!byDaemon) {
      load = topology.lb(1).start([process.execPath, LOAD, String(SERVICES), String(SERVERS_EACH)], { name: "checks" });
      await load.line(/^running$/);
    }
    await sleep(warmUpS * 1000);
    const file = `${topology.dir}/jitter-${round}-${name}.pcap`;
    const capture = await startCapture(topology.client, file, "eth0", "ip proto 112");
    const before = { accepted: servers.accepted(), polled: polling?.answered ?? 0, ms: performance.now() };
    await sleep(measureS * 1000);
    const after = { accepted: servers.accepted(), polled: polling?.answered ?? 0, ms: performance.now() };
    const heard = adverts(await capture.stop());
    const seconds = (after.ms - before.ms) / 1000;
    const checks = hasIpvs
      ? "checks by the daemon"
      : "checks by the daemon, its table played; beside keepalived by another process";
    const part = `adverts each ${ADVERTISE_MS} ms, ${checks}${isRealtime ? ", real-time" : ""}`;
    const say = (measure: string, unit: string, value: number): void => figures.add(part, measure, unit, name, value);
    say("checks per second", "1/s", (after.accepted - before.accepted) / seconds);
    if (polling !== undefined) say("answers to status per second", "1/s", (after.polled - before.polled) / seconds);
    sayAdverts(say, heard, topology);
  } finally {
    polling?.stop();
    await load?.stop();
    await pair.down();
  }
}

/** How evenly the master spoke, and whether the other one took over. */
export function sayAdverts(
  say: (measure: string, unit: string, value: number) => void,
  heard: readonly Advert[],
  { plan }: Topology,
): void {
  const [master, backup] = plan.directors;
  const at = heard.filter(({ source }) => source === master).map(({ atMs }) => atMs);
  const gaps = at.slice(1).map((atMs, index) => atMs - (at[index] ?? atMs));
  say("adverts seen", "", at.length);
  say("between adverts, median", "ms", percentile(gaps, 0.5));
  say("between adverts, 99 %", "ms", percentile(gaps, 0.99));
  say("between adverts, 99.9 %", "ms", percentile(gaps, 0.999));
  // Not by spread arguments: ten minutes are sixty thousand values.
  say("between adverts, longest", "ms", percentile(gaps, 1));
  const takeovers = heard.filter(
    ({ source, priority }, index) => source === backup && priority > 0 && heard[index - 1]?.source !== backup,
  );
  say("takeovers by the backup", "", takeovers.length);
}

/** Asks for the status as often as is said, one question at a time; the same request as `holdfast status` makes. */
class StatusPolling {
  answered = 0;
  #isAsking = false;
  readonly #timer: NodeJS.Timeout;

  constructor(director: Director) {
    this.#timer = setInterval(() => void this.#ask(director), STATUS_EVERY_MS);
  }

  async #ask(director: Director): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      await statusOf(director);
      this.answered += 1;
    } catch {
      // Counted by not being counted: the figure of answers per second falls.
    } finally {
      this.#isAsking = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
