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
export interface ProbeReport {
  /** Requests up to the last that was answered. */
  readonly sent: number;
  readonly replies: readonly Reply[];
  /** Those of them without an answer. */
  readonly lost: number;
  /** Longest time between two consecutive answers; 0 with fewer than two. */
  readonly largestGapMs: number;
  /** When that gap began, milliseconds since the epoch. */
  readonly gapStartMs: number;
}

/** `[1795233628.90094] 192.0.2.100 : [999], 64 bytes, 0.008 ms (0.007 avg, 0% loss)` */
const REPLY = /^\[(\d+\.\d+)\] (\S+)\s+: \[(\d+)\], \d+ bytes/;

/**
 * Reads what `fping -l -D` printed about one address. Losses are counted by sequence numbers: its own summary leaves
 * out what had not timed out yet.
 */
export function parseProbe(text: string, address: string): ProbeReport {
  const replies: Reply[] = [];
  let sent = 0;
  let largestGapMs = 0;
  let gapStartMs = 0;
  for (const line of text.split("\n")) {
    const match = REPLY.exec(line);
    if (match === null || match[2] !== address || line.includes("duplicate")) continue;
    const atMs = Number(match[1]) * 1000;
    const previous = replies.at(-1);
    if (previous !== undefined && atMs - previous.atMs > largestGapMs) {
      largestGapMs = atMs - previous.atMs;
      gapStartMs = previous.atMs;
    }
    replies.push({ atMs, sequence: Number(match[3]) });
    sent = Math.max(sent, Number(match[3]) + 1);
  }
  return { sent, replies, lost: sent - replies.length, largestGapMs, gapStartMs };
}

/** Longest silence that overlaps a span of time: what this address did while another was in its gap. */
export function largestGapWithin(report: ProbeReport, fromMs: number, toMs: number): number {
  let largest = 0;
  for (let index = 1; index < report.replies.length; index += 1) {
    const before = report.replies[index - 1]?.atMs ?? 0;
    const after = report.replies[index]?.atMs ?? 0;
    if (Math.min(after, toMs) > Math.max(before, fromMs)) largest = Math.max(largest, after - before);
  }
  return largest;
}

/** A gap of the watched address, and what the machine itself may have contributed to it. */
export interface Gap {
  readonly gapMs: number;
  /** Longest silence of the control address at that time: it has no part in the failover, so the machine stalled. */
  readonly stallMs: number;
  readonly lost: number;
}

/**
 * One client's view of two addresses: the one that may move, and a control that has no part in it.
 * The output goes to a file: a reader that stalls must not stall the witness.
 */
export class GapProbe {
  readonly #program: Running;
  readonly #file: string;
  readonly #address: string;
  readonly #control: string;
  /** How far `#answered` has read. */
  #offset = 0;
  #count = 0;

  constructor(program: Running, file: string, address: string, control: string) {
    this.#program = program;
    this.#file = file;
    this.#address = address;
    this.#control = control;
  }

  /** Answers of the watched address so far. Reads only what is new: a witness that works hard disturbs what it watches. */
  #answered(): number {
    const fd = openSync(this.#file, "r");
    try {
      const chunk = Buffer.alloc(64 * 1024);
      for (;;) {
        const length = readSync(fd, chunk, 0, chunk.length, this.#offset);
        const end = chunk.subarray(0, length).lastIndexOf("\n") + 1;
        if (end === 0) return this.#count;
        this.#offset += end;
        const lines = chunk.toString("latin1", 0, end).split("\n");
        this.#count += lines.filter((line) => REPLY.exec(line)?.[2] === this.#address).length;
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Waits until `count` more answers of the watched address have come. */
  async answers(count: number, withinMs = 30_000): Promise<void> {
    const start = this.#answered();
    await waitFor(
      `${count} more answers from ${this.#address}`,
      () => this.#answered() - start,
      (seen) => seen >= count,
      { withinMs, everyMs: 50, show: (seen) => `${seen}\n${this.#program.lines.slice(-5).join("\n")}` },
    );
  }

  /** Ends the probe. @returns everything it saw of the watched address and of the control */
  async reports(): Promise<{ readonly watched: ProbeReport; readonly control: ProbeReport }> {
    await this.#program.stop("SIGINT");
    const text = readFileSync(this.#file, "utf8");
    return { watched: parseProbe(text, this.#address), control: parseProbe(text, this.#control) };
  }

  /** Ends the probe. @returns the longest gap of the watched address */
  async stop(): Promise<Gap> {
    const { watched, control } = await this.reports();
    const endMs = watched.gapStartMs + watched.largestGapMs;
    const stallMs = largestGapWithin(control, watched.gapStartMs, endMs);
    return { gapMs: watched.largestGapMs, stallMs, lost: watched.lost };
  }
}

export interface ProbeOptions {
  /** The address that may move. */
  readonly address: string;
  /** An address of the same network that stays. */
  readonly control: string;
  /** Pause between requests to each, 1 or more; in a guest that translates instructions 10 is fine enough. */
  readonly everyMs?: number;
}

/**
 * Probes two addresses from a host by fping, and returns once both have answered. Not by `ping`: while answers are
 * missing it sends only every 10 ms, and otherwise it spins, which on a small machine disturbs what is measured.
 */
export async function startProbe(host: Host, dir: string, options: ProbeOptions): Promise<GapProbe> {
  const { address, control, everyMs = 1 } = options;
  const file = join(dir, `probe-${process.hrtime.bigint()}.txt`);
  const command = `exec fping -l -D -p ${everyMs} -i 0.1 -t 1000 ${address} ${control} >${file} 2>&1`;
  const program = host.start(["sh", "-c", command], { name: `fping ${address} from ${host.name}` });
  await waitFor(
    `${address} and ${control} answer`,
    () => readFileSync(file, { encoding: "utf8", flag: "a+" }),
    (text) => [address, control].every((one) => parseProbe(text, one).replies.length > 0),
    { withinMs: 10_000, show: (text) => text.slice(-400) },
  );
  return new GapProbe(program, file, address, control);
}
