import { readdirSync, readFileSync } from "node:fs";
import type { Running } from "../../test/lab/support/commands.ts";
import { waitFor } from "../../test/lab/support/wait.ts";
import { Inspector } from "./inspector.ts";

/** Starting Node takes seconds where it is translated. */
const START_MS = 180_000;

/** Roles of processes by how their command line ends. */
const ROLES: readonly (readonly [string, RegExp])[] = [
  ["vrrp", /internal vrrp$/],
  ["checker", /internal checker$/],
  ["supervisor", / run /],
];

interface Watched {
  readonly name: string;
  readonly pid: number;
  readonly inspector: Inspector;
}

/** Processes that were started with `NODE_OPTIONS=--inspect=127.0.0.1:0`. */
export class WatchedProcesses {
  readonly #processes: readonly Watched[];

  private constructor(processes: readonly Watched[]) {
    this.#processes = processes;
  }

  /**
   * Finds the debuggers by what the processes print when they start.
   * @param programs each with the number of its processes
   */
  static async attach(programs: readonly (readonly [Running, number])[]): Promise<WatchedProcesses> {
    const processes: Watched[] = [];
    for (const [program, count] of programs) {
      const urls = (): string[] =>
        program.lines.flatMap((line) => /Debugger listening on (ws:\S+)/.exec(line)?.[1] ?? []);
      await waitFor("every process listens for a debugger", urls, (seen) => seen.length === count, {
        withinMs: START_MS,
      });
      for (const url of urls()) processes.push(await watch(url));
    }
    return new WatchedProcesses(processes);
  }

  /** Looks once at everything: bytes, and for descriptors their number. */
  async look(): Promise<ReadonlyMap<string, number>> {
    const seen = new Map<string, number>();
    for (const { name, pid, inspector } of this.#processes) {
      seen.set(`${name} heap`, await inspector.heapBytes());
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      seen.set(`${name} rss`, Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024);
      seen.set(`${name} descriptors`, readdirSync(`/proc/${pid}/fd`).length);
    }
    return seen;
  }

  close(): void {
    for (const { inspector } of this.#processes) inspector.close();
  }
}

async function watch(url: string): Promise<Watched> {
  const inspector = await Inspector.connect(url);
  const line = String(await inspector.evaluate("process.argv.join(' ')"));
  const name = ROLES.find(([, pattern]) => pattern.test(line))?.[0];
  if (name === undefined) throw new Error(`a process that nobody expected listens for a debugger: ${line}`);
  return { name, pid: Number(await inspector.evaluate("process.pid")), inspector };
}
