import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./commands.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

/** One answered echo request. */
export interface Reply {
  readonly atMs: number;
  readonly sequence: number;
}

/** What a client saw of an address over a while. */
export interface PingReport {
  readonly sent: number;
  readonly replies: readonly Reply[];
  /** Requests without an answer, also those at the end. */
  readonly lost: number;
  /** Longest time between two consecutive answers; 0 with fewer than two. */
  readonly largestGapMs: number;
  /** When that gap began, milliseconds since the epoch. */
  readonly gapStartMs: number;
}

const REPLY = /^\[(\d+)\.(\d{6})\] \d+ bytes from \S+ icmp_seq=(\d+)/;
const SUMMARY = /^(\d+) packets transmitted, (\d+) received/m;
/** Sequence numbers are 16 bits on the wire and start again. */
const SEQUENCES = 65536;

/** Reads the output of `ping -D`. Duplicate answers count once, as the first. */
export function parsePing(text: string): PingReport {
  const replies: Reply[] = [];
  let turn = 0;
  let highest = 0;
  let largestGapMs = 0;
  let gapStartMs = 0;
  for (const line of text.split("\n")) {
    const match = REPLY.exec(line);
    if (match === null || line.includes("(DUP!)")) continue;
    const atMs = Number(match[1]) * 1000 + Number(match[2]) / 1000;
    const raw = Number(match[3]);
    if (raw + turn * SEQUENCES < highest - SEQUENCES / 2) turn += 1;
    highest = Math.max(highest, raw + turn * SEQUENCES);
    const previous = replies.at(-1);
    if (previous !== undefined && atMs - previous.atMs > largestGapMs) {
      largestGapMs = atMs - previous.atMs;
      gapStartMs = previous.atMs;
    }
    replies.push({ atMs, sequence: raw + turn * SEQUENCES });
  }
  const sent = Number(SUMMARY.exec(text)?.[1] ?? highest);
  return { sent, replies, lost: sent - replies.length, largestGapMs, gapStartMs };
}

/** Longest silence within a span of time: how long this address, too, was not heard while another was in its gap. */
export function largestGapWithin(report: PingReport, fromMs: number, toMs: number): number {
  let largest = 0;
  for (let index = 1; index < report.replies.length; index += 1) {
    const before = report.replies[index - 1]?.atMs ?? 0;
    const after = report.replies[index]?.atMs ?? 0;
    const overlap = Math.min(after, toMs) - Math.max(before, fromMs);
    if (overlap > 0) largest = Math.max(largest, after - before);
  }
  return largest;
}

/** A ping that runs. Its output goes to a file: a reader that stalls must not stall the witness. */
export class Ping {
  readonly #program: Running;
  readonly #file: string;
  /** How far `#answered` has read. */
  #offset = 0;
  #count = 0;

  constructor(program: Running, file: string) {
    this.#program = program;
    this.#file = file;
  }

  /** Answers so far. Reads only what is new: a witness that works hard would disturb what it watches. */
  #answered(): number {
    const fd = openSync(this.#file, "r");
    try {
      const chunk = Buffer.alloc(64 * 1024);
      for (;;) {
        const length = readSync(fd, chunk, 0, chunk.length, this.#offset);
        const end = chunk.subarray(0, length).lastIndexOf("\n") + 1;
        if (end === 0) return this.#count;
        this.#offset += end;
        this.#count += chunk.toString("latin1", 0, end).split(" bytes from ").length - 1;
      }
    } finally {
      closeSync(fd);
    }
  }

  /** What was seen so far. */
  report(): PingReport {
    return parsePing(readFileSync(this.#file, "utf8"));
  }

  /** Waits until `count` more answers have come. */
  async answers(count: number, withinMs = 10_000): Promise<void> {
    const start = this.#answered();
    await waitFor(
      `${count} more answers to ${this.#program.name}`,
      () => this.#answered() - start,
      (seen) => seen >= count,
      { withinMs, everyMs: 50 },
    );
  }

  /** Ends it. @returns everything it saw */
  async stop(): Promise<PingReport> {
    await this.#program.stop("SIGINT");
    return this.report();
  }
}

/**
 * Pings an address from a host.
 * @param everyMs pause between requests, 1 or more; in a guest that translates instructions, 10 is fine enough
 */
export async function startPing(host: Host, dir: string, address: string, everyMs = 1): Promise<Ping> {
  const file = join(dir, `ping-${address}-${process.hrtime.bigint()}.txt`);
  const shell = `exec ping -n -D -i ${everyMs / 1000} ${address} >${file} 2>&1`;
  const program = host.start(["sh", "-c", shell], { name: `ping ${address} from ${host.name}` });
  const ping = new Ping(program, file);
  await waitFor(
    `${program.name} has begun`,
    () => readFileSync(file, { encoding: "utf8", flag: "a+" }).length,
    (length) => length > 0,
    { withinMs: 10_000 },
  );
  return ping;
}
