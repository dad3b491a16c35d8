import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Topology, withTopology } from "../test/lab/support/topology.ts";
import { waitFor } from "../test/lab/support/wait.ts";
import { adverts, startCapture } from "../test/lab/support/witness.ts";
import type { Figures } from "./figures.ts";
import { PLAYED_TABLE, sayAdverts } from "./jitter.ts";
import { RouterPair } from "./routers.ts";

const SCRIPTS = 32;
/** As the unit file counts it; longer ones stop a group for longer. */
const PERIOD_US = 10_000;
/** Of the machine's processors; 0 = no quota. */
const SHARES = [0, 0.5, 0.25] as const;
const CASES = [
  { advertiseMs: 1000, isRealtime: false },
  { advertiseMs: 100, isRealtime: false },
  { advertiseMs: 100, isRealtime: true },
  { advertiseMs: 10, isRealtime: true },
] as const;

/** A control group for processor time, made as systemd makes one for a unit with `CPUQuota=`. */
class CpuGroup {
  readonly #root: string;
  readonly #own: string;

  private constructor(root: string) {
    this.#root = root;
    this.#own = join(root, "holdfast-bench");
    mkdirSync(this.#own);
  }

  /** @param dir where the kernel's control groups are mounted; in a mount namespace of its own */
  static make(dir: string): CpuGroup {
    const root = join(dir, "cgroup");
    mkdirSync(root, { recursive: true });
    const [hierarchy] = /^cpu\s+(\d+)/m.exec(readFileSync("/proc/cgroups", "utf8"))?.slice(1) ?? [];
    const isFirstVersion = hierarchy !== "0";
    const type = isFirstVersion ? ["-t", "cgroup", "-o", "cpu"] : ["-t", "cgroup2"];
    const mounted = spawnSync("mount", [...type, "none", root], { encoding: "utf8" });
    if (mounted.status !== 0) throw new Error(`control groups cannot be mounted: ${mounted.stderr}`);
    if (!isFirstVersion) writeFileSync(join(root, "cgroup.subtree_control"), "+cpu");
    return new CpuGroup(root);
  }

  /** Where a process writes its id to enter. */
  get entrance(): string {
    return join(this.#own, "cgroup.procs");
  }

  /** @param processors 0 = no bound */
  bound(processors: number): void {
    const quotaUs = processors === 0 ? null : Math.round(processors * PERIOD_US);
    if (this.#has("cpu.max")) {
      this.#write("cpu.max", `${quotaUs ?? "max"} ${PERIOD_US}`);
      return;
    }
    this.#write("cpu.cfs_quota_us", "-1");
    this.#write("cpu.cfs_period_us", String(PERIOD_US));
    this.#write("cpu.cfs_quota_us", String(quotaUs ?? -1));
    // Only the first version, and only some kernels, ask a group for leave to have real-time processes.
    if (this.#has("cpu.rt_runtime_us")) this.#write("cpu.rt_runtime_us", "400000");
  }

  /** How often the kernel has stopped the group because its quota was used up. */
  get stops(): number {
    return Number(/^nr_throttled (\d+)/m.exec(readFileSync(join(this.#own, "cpu.stat"), "utf8"))?.[1] ?? 0);
  }

  release(pids: readonly number[]): void {
    for (const pid of pids) writeFileSync(join(this.#root, "cgroup.procs"), String(pid));
  }

  remove(): void {
    rmdirSync(this.#own);
    spawnSync("umount", [this.#root]);
  }

  #has(file: string): boolean {
    return existsSync(join(this.#own, file));
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#own, file), text);
  }
}

/**
 * A master whose check scripts burn all the processor time there is, without and with a bound on the time of the whole service. What
 * is counted is on the wire, as in `jitter`.
 */
export async function benchQuota(figures: Figures, dir: string, measureS: number): Promise<void> {
  const script = join(dir, "burning.pl");
  writeFileSync(script, "#!/usr/bin/perl\nwhile (1) { $x++ }\n", { mode: 0o755 });
  const group = CpuGroup.make(dir);
  try {
    await withTopology({ directors: 2 }, async (topology) => {
      for (const { advertiseMs, isRealtime } of CASES) {
        for (const share of SHARES) {
          group.bound(share * cpus().length);
          const bound = share === 0 ? "no quota" : `quota of ${share} of the processors over ${PERIOD_US / 1000} ms`;
          const part = `adverts each ${advertiseMs} ms${isRealtime ? ", real-time" : ""}, ${SCRIPTS} scripts that burn, ${bound}`;
          const say = (measure: string, unit: string, value: number) =>
            figures.add(part, measure, unit, "holdfast", value);
          await oneBound(say, { topology, group, script, advertiseMs, isRealtime, measureS });
        }
      }
    });
  } finally {
    group.remove();
  }
}

interface Setting {
  readonly topology: Topology;
  readonly group: CpuGroup;
  readonly script: string;
  readonly advertiseMs: number;
  readonly isRealtime: boolean;
  readonly measureS: number;
}

async function oneBound(say: (measure: string, unit: string, value: number) => void, setting: Setting): Promise<void> {
  const { topology, group, script, advertiseMs, isRealtime, measureS } = setting;
  const check = `{ script: { run: [${script}], timeout: 5s, interval: 5s } }`;
  const services = `scripts: { maxConcurrent: ${SCRIPTS} }
services:
  web:
    listen: ${topology.plan.vip}:80
    forward: nat
    checks: [${Array.from({ length: SCRIPTS }, () => check).join(", ")}]
    servers: [10.9.0.11:80]
`;
  const enter = `echo $$ > ${group.entrance}; export NODE_OPTIONS=--import=${PLAYED_TABLE}; exec "$@"`;
  const pair = await RouterPair.up("holdfast", topology, {
    advertiseMs,
    isRealtime,
    master: { holdfast: services, keepalived: "" },
    wrapper: ["sh", "-c", enter, "sh"],
  });
  try {
    group.release(pair.pids(2));
    await waitFor(
      "most scripts burn",
      async () => pair.pids(1).length,
      (processes) => processes > SCRIPTS / 2,
      { withinMs: 60_000, everyMs: 500 },
    );
    const before = group.stops;
    const capture = await startCapture(topology.client, `${topology.dir}/quota.pcap`, "eth0", "ip proto 112");
    await sleep(measureS * 1000);
    const heard = adverts(await capture.stop());
    say("times that the kernel stopped the service", "", group.stops - before);
    sayAdverts(say, heard, topology);
  } finally {
    await pair.down();
  }
}
