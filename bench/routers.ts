import type { Running } from "../test/lab/support/commands.ts";
import { type Director, startDirector, vrrpYaml } from "../test/lab/support/director.ts";
import { keepalivedInstance, startKeepalived } from "../test/lab/support/keepalived.ts";
import type { Topology } from "../test/lab/support/topology.ts";
import { waitFor } from "../test/lab/support/wait.ts";
import type { DaemonName } from "./daemons.ts";

/** Of lb1, which is master while it lives, and of lb2. */
export const PRIORITIES = [200, 100] as const;
const BACKUP = { holdfast: /initialize -> backup/, keepalived: /Entering BACKUP STATE/ } as const;

export interface RouterOptions {
  readonly advertiseMs: number;
  /** Asks either program for real-time scheduling of what speaks VRRP. */
  readonly isRealtime?: boolean;
  /** Of lb1 and lb2, in place of PRIORITIES. */
  readonly priorities?: readonly [number, number];
  /** Added to the configuration of lb1, in each program's words. */
  readonly master?: Readonly<Record<DaemonName, string>>;
  /** In front of holdfast's command line. */
  readonly wrapper?: readonly string[];
}

/** Two hosts that run the same program as VRRP routers of one address. */
export class RouterPair {
  readonly name: DaemonName;
  readonly topology: Topology;
  readonly #options: RouterOptions;
  /** By number; one each. */
  readonly #programs = new Map<1 | 2, Running>();
  readonly #directors = new Map<1 | 2, Director>();

  private constructor(name: DaemonName, topology: Topology, options: RouterOptions) {
    this.name = name;
    this.topology = topology;
    this.#options = options;
  }

  /** Starts lb1 alone; returns at once. */
  static alone(name: DaemonName, topology: Topology, options: RouterOptions): RouterPair {
    const pair = new RouterPair(name, topology, options);
    pair.start(1);
    return pair;
  }

  /** Starts both; returns when lb1 is master and lb2 its backup. */
  static async up(name: DaemonName, topology: Topology, options: RouterOptions): Promise<RouterPair> {
    const pair = new RouterPair(name, topology, options);
    try {
      pair.start(1);
      await pair.heldBy("lb1");
      await pair.start(2).line(BACKUP[name], 60_000);
      return pair;
    } catch (thrown) {
      await pair.down();
      throw thrown;
    }
  }

  start(number: 1 | 2): Running {
    const { advertiseMs, isRealtime = false, priorities = PRIORITIES, master, wrapper } = this.#options;
    const host = this.topology.lb(number);
    const rest = number === 1 ? (master?.[this.name] ?? "") : "";
    const priority = priorities[number - 1] ?? 100;
    if (this.name === "holdfast") {
      const vrrp = vrrpYaml(this.topology, number, { advertise: `${advertiseMs}ms`, priorities });
      const yaml = isRealtime ? vrrp.replace("vrrp:\n", "vrrp:\n  realtime: true\n") : vrrp;
      const director = startDirector(this.topology, host, yaml + rest, wrapper);
      this.#directors.set(number, director);
      this.#programs.set(number, director.program);
      return director.program;
    }
    // Its usual limit of 10 ms without a blocking call would have it killed on a slow machine.
    const scheduling = isRealtime ? "global_defs {\n  vrrp_rt_priority 50\n  vrrp_rlimit_rttime 1000000\n}\n" : "";
    const instance = keepalivedInstance({ priority, advertiseS: advertiseMs / 1000, address: this.topology.plan.vip });
    const program = startKeepalived(this.topology, host, scheduling + instance + rest);
    this.#programs.set(number, program);
    return program;
  }

  program(number: 1 | 2): Running {
    const program = this.#programs.get(number);
    if (program === undefined) throw new Error(`nothing was started on lb${number}`);
    return program;
  }

  /** @throws where the pair is not of holdfast */
  director(number: 1 | 2): Director {
    const director = this.#directors.get(number);
    if (director === undefined) throw new Error(`there is no holdfast on lb${number}`);
    return director;
  }

  /** Waits until exactly these hosts hold the address; fails at once if a program ended. */
  async heldBy(...names: readonly string[]): Promise<void> {
    await waitFor(
      `the address is held by ${names.join(" and ")}`,
      () => this.#checked(this.topology.holders().join()),
      (seen) => seen === names.join(),
      { withinMs: 60_000, everyMs: 50, show: (seen) => `${seen}\n${this.lastWords()}` },
    );
  }

  #checked<T>(seen: T): T {
    const ended = [...this.#programs.values()].find((program) => program.hasEnded);
    if (ended !== undefined) throw new Error(`${ended.name} ended:\n${this.lastWords()}`);
    return seen;
  }

  lastWords(): string {
    return [...this.#programs.values()].flatMap(({ name, lines }) => [`-- ${name}`, ...lines.slice(-10)]).join("\n");
  }

  /** Every process on a host, those that were started last first: whoever would restart another goes after it. */
  pids(number: 1 | 2): number[] {
    return this.topology
      .lb(number)
      .pids()
      .sort((a, b) => b - a);
  }

  /** Forgets programs that were killed and takes away the address that they left. */
  async bury(number: 1 | 2): Promise<void> {
    await this.program(number).ended();
    this.#programs.delete(number);
    this.#directors.delete(number);
    const host = this.topology.lb(number);
    host.tryExec(["ip", "address", "delete", `${this.topology.plan.vip}/32`, "dev", "eth0"]);
  }

  /** Ends what still runs, the backup first; nothing of it stays on the interfaces. */
  async down(): Promise<void> {
    for (const number of [2, 1] as const) {
      const program = this.#programs.get(number);
      if (program === undefined) continue;
      await program.stop("SIGTERM", 60_000).catch(() => program.kill());
      await this.bury(number);
    }
  }
}
