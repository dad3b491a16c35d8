import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Running, run } from "../test/lab/support/commands.ts";
import { PROGRAM } from "../test/lab/support/director.ts";
import type { Host } from "../test/lab/support/hosts.ts";
import { waitFor } from "../test/lab/support/wait.ts";
import { type CheckKind, type PlannedService, toKeepalived, toYaml } from "./plan.ts";
import { serversInTable } from "./process-facts.ts";

export const DAEMONS = ["keepalived", "holdfast"] as const;
export type DaemonName = (typeof DAEMONS)[number];

/** One of the two programs at work on the director's host. */
export class Daemon {
  readonly #host: Host;
  readonly #program: Running;

  constructor(host: Host, program: Running) {
    this.#host = host;
    this.#program = program;
  }

  /** Its processes: nothing else runs on that host. */
  pids(): readonly number[] {
    return run(["ip", "netns", "pids", this.#host.name]).split("\n").filter(Boolean).map(Number);
  }

  serversInTable(): number {
    return serversInTable(this.#program.pid);
  }

  /** Waits for so many servers in the table. @returns milliseconds from `sinceMs`, or from the call */
  async untilServers(count: number, sinceMs = performance.now(), withinMs = 180_000): Promise<number> {
    await waitFor(
      `${count} servers in the table of ${this.#program.name}`,
      () => {
        if (this.#program.hasEnded) throw new Error(`${this.#program.name} ended:\n${this.#program.lines.join("\n")}`);
        return this.serversInTable();
      },
      (seen) => seen === count,
      { withinMs, everyMs: 25 },
    );
    return performance.now() - sinceMs;
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGTERM", 60_000);
    this.#host.exec(["ipvsadm", "-C"]);
  }
}

/** Starts one, with the same services for both. @returns it, and when it was started */
export function startDaemon(
  name: DaemonName,
  host: Host,
  plan: readonly PlannedService[],
  check: CheckKind,
  dir: string,
): { readonly daemon: Daemon; readonly startedMs: number } {
  const home = join(dir, name);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const argv = name === "keepalived" ? keepalived(home, plan, check) : holdfast(home, plan, check);
  const startedMs = performance.now();
  return { daemon: new Daemon(host, host.start(argv, { name })), startedMs };
}

function keepalived(home: string, plan: readonly PlannedService[], check: CheckKind): string[] {
  const file = join(home, "keepalived.conf");
  writeFileSync(file, toKeepalived(plan, check), { mode: 0o600 });
  const pids = ["-p", join(home, "ka.pid"), "-c", join(home, "ka-check.pid")];
  // Only its checker: there is no VRRP here.
  return ["keepalived", "--check", "--dont-fork", "--log-console", "-f", file, ...pids];
}

function holdfast(home: string, plan: readonly PlannedService[], check: CheckKind): string[] {
  const file = join(home, "holdfast.yaml");
  writeFileSync(file, toYaml(plan, check));
  return [process.execPath, PROGRAM, "run", file, "--run-dir", join(home, "run"), "--state-dir", join(home, "state")];
}
