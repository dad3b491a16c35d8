import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./commands.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

/** One request of the load, and how it ended. */
export interface Request {
  /** When it was begun, milliseconds since 1970. */
  readonly atMs: number;
  readonly status: number;
  /** Of curl: 0 when it got an answer. */
  readonly exitCode: number;
  readonly seconds: number;
  readonly words: string;
}

function isFailed({ status, exitCode }: Request): boolean {
  return exitCode !== 0 || status !== 200;
}

function describe(requests: readonly Request[]): string {
  return requests
    .map(({ atMs, status, exitCode, seconds, words }) => {
      const end = status === 0 ? `curl ${exitCode}` : `status ${status}`;
      return `${new Date(atMs).toISOString().slice(11, 23)} ${end} after ${seconds} s ${words}`;
    })
    .join("\n");
}

/** Reads what curl wrote; the last line may not be complete yet. */
function parseLoad(text: string): Request[] {
  return [...text.matchAll(/^(\d+) (\d{3}) (\d+) ([\d.]+) ?(.*)\n/gm)].map(
    ([, stamp = "", status = "", exitCode = "", seconds = "", words = ""]) => ({
      atMs: Math.round(Number(stamp) / 1_000_000),
      status: Number(status),
      exitCode: Number(exitCode),
      seconds: Number(seconds),
      words,
    }),
  );
}

/** Short requests by curl, one after another, each on a connection of its own: at most one is in flight at any time. */
export class Load {
  readonly #program: Running;
  readonly #file: string;

  constructor(host: Host, dir: string, url: string) {
    this.#file = join(dir, `load-${process.hrtime.bigint()}.txt`);
    const format = "%{http_code} %{exitcode} %{time_total} %{errormsg}\\n";
    const request = `curl --silent --output /dev/null --max-time 5 --write-out '${format}' ${url}`;
    // 40 a second at most: what is loaded is translated, and its processors are to be free for other things.
    const loop = `while :; do printf '%s ' "$(date +%s%N)"; ${request} || :; sleep 0.025; done`;
    this.#program = host.start(["bash", "-c", `{ ${loop}; } >${this.#file} 2>&1`], {
      name: `requests from ${host.name}`,
    });
  }

  get requests(): Request[] {
    return parseLoad(readFileSync(this.#file, { encoding: "utf8", flag: "a+" }));
  }

  /** Waits until so many more requests have ended. */
  async more(count: number, withinMs = 120_000): Promise<void> {
    const before = this.requests.length;
    await waitFor(
      `${count} more requests`,
      () => this.requests.length - before,
      (seen) => seen >= count,
      { withinMs, everyMs: 100 },
    );
  }

  /** Ends it. @returns every request */
  async stop(): Promise<Request[]> {
    await this.#program.stop("SIGTERM");
    return this.requests;
  }
}

/**
 * Judges what a client saw: each move of the address may cost the one request that was in flight.
 * @throws AssertionError with every request that failed
 */
export function judge(what: string, requests: readonly Request[], moves: number): void {
  const failed = requests.filter(isFailed);
  console.log(`        ${what}: ${requests.length} requests, ${failed.length} failed`);
  assert.ok(failed.length <= moves, `${what}: ${failed.length} of ${requests.length} failed:\n${describe(failed)}`);
}
