import { setTimeout as sleep } from "node:timers/promises";
import { DAEMONS, type DaemonName, startDaemon } from "./daemons.ts";
import type { Figures } from "./figures.ts";
import { type PlannedService, planTable } from "./plan.ts";
import { cpuSeconds, pssMegabytes } from "./process-facts.ts";
import { Servers } from "./servers.ts";

export interface CheckingOptions {
  readonly kind: "tcp" | "http";
  readonly services: number;
  readonly serversEach: number;
  /** Servers that die at once. */
  readonly dying: number;
  readonly rounds: number;
  /** After the table is complete, before anything is measured: a daemon runs for months, not for seconds. */
  readonly warmUpS: number;
  readonly measureS: number;
  readonly programs?: readonly DaemonName[];
}

/** Thousands of servers checked each second: how many checks, at what price, and how soon dead servers are out. */
export async function benchChecking(figures: Figures, dir: string, options: CheckingOptions): Promise<void> {
  const plan = planTable(options.services, options.serversEach);
  const servers = await Servers.up(options.kind, dir);
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      for (const name of options.programs ?? DAEMONS) await oneDaemon(figures, dir, options, { plan, servers, name });
    }
  } finally {
    await servers.down();
  }
}

async function oneDaemon(
  figures: Figures,
  dir: string,
  options: CheckingOptions,
  of: { readonly plan: readonly PlannedService[]; readonly servers: Servers; readonly name: DaemonName },
): Promise<void> {
  const { plan, servers, name } = of;
  const total = options.services * options.serversEach;
  const part = `${options.kind} checks, ${total} servers each second`;
  const add = (measure: string, unit: string, value: number): void => figures.add(part, measure, unit, name, value);
  const { daemon, startedMs } = startDaemon(name, servers.director, plan, options.kind, dir);
  try {
    add("table complete after start", "s", (await daemon.untilServers(total, startedMs)) / 1000);
    await sleep(options.warmUpS * 1000);
    const pids = daemon.pids();
    const before = { accepted: servers.accepted(), cpu: cpuSeconds(pids), ms: performance.now() };
    await sleep(options.measureS * 1000);
    const after = { accepted: servers.accepted(), cpu: cpuSeconds(pids), ms: performance.now() };
    const checks = after.accepted - before.accepted;
    const seconds = (after.ms - before.ms) / 1000;
    add("checks per second", "1/s", checks / seconds);
    add("CPU per 1,000 checks", "s", ((after.cpu - before.cpu) * 1000) / checks);
    add("CPU in all", "cores", (after.cpu - before.cpu) / seconds);
    add("memory (PSS)", "MB", pssMegabytes(pids));
    const every = Math.floor(total / options.dying);
    const dead = plan.flatMap((service) => service.servers).filter((_, i) => i % every === 0);
    servers.kill(dead);
    const killedMs = performance.now();
    add(
      `${dead.length} dead servers out of the table`,
      "s",
      (await daemon.untilServers(total - dead.length, killedMs)) / 1000,
    );
    servers.revive();
    const revivedMs = performance.now();
    add(`${dead.length} servers back in the table`, "s", (await daemon.untilServers(total, revivedMs)) / 1000);
  } finally {
    servers.revive();
    await daemon.stop();
  }
}

/** From the start of a whole daemon to ten thousand servers in the table, none of them checked. */
export async function benchStart(figures: Figures, dir: string, rounds: number): Promise<void> {
  const plan = planTable(10, 1000);
  const servers = await Servers.up("tcp", dir);
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const name of DAEMONS) {
        const { daemon, startedMs } = startDaemon(name, servers.director, plan, "none", dir);
        try {
          const tookMs = await daemon.untilServers(10_000, startedMs);
          figures.add(
            "whole daemon, 10,000 servers without checks",
            "table complete after start",
            "s",
            name,
            tookMs / 1000,
          );
        } finally {
          await daemon.stop();
        }
      }
    }
  } finally {
    await servers.down();
  }
}
