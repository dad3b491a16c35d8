import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon } from "./daemon.ts";
import { type Director, PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

export type Role = "supervisor" | "vrrp" | "checker";

/** As in the unit. */
const RESTART_MS = 1_000;
const STOP_MS = 20_000;
const UNIT = "HOLDFAST_LAB_UNIT";

/**
 * A director under what systemd does for it: `Restart`, `KillMode=control-group` and `ExecStopPost` of the unit. The group is known by a
 * variable that every process of it inherits.
 */
export class Service {
  director: Director;
  /** What the sweeps said; a few lines for each death. */
  readonly swept: string[] = [];
  readonly #host: Host;
  readonly #home: string;
  readonly #yaml: string;
  readonly #life: Promise<void>;
  #isWanted = true;

  constructor(host: Host, home: string, yaml: string) {
    this.#host = host;
    this.#home = home;
    this.#yaml = yaml;
    this.director = this.#start();
    this.#life = this.#live();
  }

  /** The pid of a process of this service, undefined while it does not run. */
  pid(role: Role): number | undefined {
    if (role === "supervisor") return this.director.program.hasEnded ? undefined : this.director.program.pid;
    return this.#members().find((pid) => read(`/proc/${pid}/cmdline`).includes(`\0internal\0${role}\0`));
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    this.director.program.signal("SIGTERM");
    await this.#life;
  }

  #start(): Director {
    return startDaemon(this.#host, this.#home, { yaml: this.#yaml, environment: { [UNIT]: this.#home } });
  }

  async #live(): Promise<void> {
    for (;;) {
      const { program } = this.director;
      while (!program.hasEnded) await sleep(5);
      await this.#endGroup();
      const place = ["--run-dir", join(this.#home, "run"), "--state-dir", join(this.#home, "state")];
      const sweep = [process.execPath, PROGRAM, "internal", "sweep", this.director.file, ...place];
      const { stdout, stderr } = await this.#host.execAsync(sweep);
      this.swept.push(...`${stdout}${stderr}`.split("\n").filter((line) => line !== ""));
      if (!this.#isWanted) return;
      await sleep(RESTART_MS);
      this.director = this.#start();
    }
  }

  async #endGroup(): Promise<void> {
    this.#signal("SIGTERM");
    const isOver = (pids: readonly number[]) => pids.length === 0;
    const wait = { withinMs: STOP_MS, everyMs: 5 };
    await waitFor("the service's group ends", () => this.#members(), isOver, wait).catch(() => this.#signal("SIGKILL"));
    await waitFor("the service's group is killed", () => this.#members(), isOver, wait);
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.#members()) trySignal(pid, signal);
  }

  #members(): number[] {
    const mark = `${UNIT}=${this.#home}\0`;
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(mark))
      .map(Number);
  }
}

/** Signals a process that may have ended. */
export function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended: there is nobody to signal.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
