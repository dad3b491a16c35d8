import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./commands.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

/** A request that has ended. */
interface Ended {
  /** Milliseconds since 1970, by the shell that read what curl said. */
  readonly atMs: number;
  readonly isGood: boolean;
}

/** What a client saw of a page over a while. */
export interface PagesSeen {
  readonly asked: number;
  readonly failed: number;
  /** Longest time between two answers. */
  readonly gapMs: number;
}

/**
 * Requests by one curl, one after another, each on a connection of its own. Where instructions are translated, a program for
 * each request would take a second: no witness of anything shorter.
 */
export class PacedRequests {
  readonly #program: Running;
  readonly #file: string;

  /** @param patienceS a request fails after so long */
  constructor(host: Host, dir: string, url: string, patienceS: number) {
    this.#file = join(dir, `requests-${process.hrtime.bigint()}.txt`);
    // To standard error, which is not buffered.
    const said = "%{stderr}%{http_code} %{errormsg}\\n";
    const each = `--max-time ${patienceS} --rate 10/s --header 'Connection: close' --output /dev/null --write-out '${said}'`;
    const stamp = 'while read -r line; do echo "$EPOCHREALTIME $line"; done';
    const script = `exec curl --silent --noproxy '*' ${each} '${url}?[1-100000]' 2> >(${stamp} >${this.#file})`;
    this.#program = host.start(["bash", "-c", script], { name: `requests from ${host.name}` });
  }

  get #ended(): readonly Ended[] {
    const text = readFileSync(this.#file, { encoding: "utf8", flag: "a+" });
    return [...text.matchAll(/^([\d.]+) (\d{3})\b.*\n/gm)].map(([, at, code]) => ({
      atMs: Number(at) * 1000,
      isGood: code === "200",
    }));
  }

  /** Waits until so many more were answered. */
  async answers(count: number): Promise<void> {
    const answered = () => this.#ended.filter(({ isGood }) => isGood).length;
    const before = answered();
    await waitFor(`${count} more answers`, answered, (seen) => seen >= before + count, {
      withinMs: 60_000,
      everyMs: 100,
      show: (seen) => `${seen}\n${this.#program.lines.join("\n")}`,
    });
  }

  async stop(): Promise<PagesSeen> {
    await this.#program.stop("SIGTERM");
    const ended = this.#ended;
    const good = ended.filter(({ isGood }) => isGood);
    const gapsMs = good.slice(1).map(({ atMs }, index) => atMs - (good[index]?.atMs ?? atMs));
    return { asked: ended.length, failed: ended.length - good.length, gapMs: Math.max(0, ...gapsMs) };
  }
}
