// The benchmark, run by `npm run bench` where its parts can run. Words on the command line choose parts.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchChecking, benchStart } from "./checking.ts";
import { benchFailover } from "./failover.ts";
import { Figures } from "./figures.ts";
import { benchFirstAdvert } from "./first-advert.ts";
import { benchJitter } from "./jitter.ts";
import { benchQuota } from "./quota.ts";
import { benchTableLoad } from "./table-load.ts";

const PARTS = ["failover", "first-advert", "jitter", "quota", "table", "start", "tcp", "http"] as const;
type Part = (typeof PARTS)[number];

/** A number from the environment. */
function setting(name: string, usual: number): number {
  const value = Number(process.env[name] ?? usual);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} is ${process.env[name]}, not a number above 0`);
  return value;
}

const ROUNDS: Readonly<Record<Part, number>> = {
  failover: 5,
  "first-advert": 5,
  jitter: 1,
  quota: 1,
  table: 3,
  start: 3,
  tcp: 3,
  http: 3,
};
const words = process.argv.slice(2);
const figures = new Figures();
const dir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));

/** @returns what went wrong */
async function measure(part: Part): Promise<readonly string[]> {
  const rounds = setting("BENCH_ROUNDS", ROUNDS[part]);
  const warmUpS = setting("BENCH_WARM_UP_S", 30);
  const isRealtime = process.env.BENCH_REALTIME === "1";
  if (part === "failover") {
    const advertiseMs = (process.env.BENCH_ADVERTISE_MS ?? "1000,100,10").split(",").map(Number);
    return benchFailover(figures, { rounds, advertiseMs, isRealtime, handovers: 2 * setting("BENCH_HANDOVERS", 1) });
  }
  if (part === "jitter") {
    return benchJitter(figures, dir, {
      rounds,
      warmUpS,
      measureS: setting("BENCH_JITTER_S", 60),
      isRealtime,
      hasIpvs: existsSync("/proc/net/ip_vs"),
    });
  }
  if (part === "quota") await benchQuota(figures, dir, setting("BENCH_MEASURE_S", 20));
  else if (part === "first-advert") await benchFirstAdvert(figures, rounds);
  else if (part === "table") await benchTableLoad(figures, dir, rounds);
  else if (part === "start") await benchStart(figures, dir, rounds);
  else
    await benchChecking(figures, dir, {
      kind: part,
      services: 20,
      serversEach: 100,
      dying: 200,
      rounds,
      warmUpS,
      measureS: setting("BENCH_MEASURE_S", 20),
    });
  return [];
}

const failures: string[] = [];
try {
  for (const part of PARTS) if (words.length === 0 || words.includes(part)) failures.push(...(await measure(part)));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
// Whoever started this joins the figures of all places into one table.
const { LAB_SHARE } = process.env;
if (LAB_SHARE !== undefined) writeFileSync(join(LAB_SHARE, "figures.json"), JSON.stringify(figures.all()));
for (const failure of failures) console.error(`bench: not measured: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
