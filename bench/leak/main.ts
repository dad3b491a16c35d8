// `npm run leak`: a daemon makes a hundred thousand checks and a thousand reloads, and is looked at meanwhile: what is reachable in
// the heap of each of its processes, what they hold of the machine's memory, and their descriptors.
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MAX_EVENTS } from "../../src/app/event-journal.ts";
import { orThrow } from "../../src/base/result.ts";
import { ControlClient } from "../../src/control/client.ts";
import { type JournalEvent, MAX_EVENTS_PER_PAGE } from "../../src/control/events.ts";
import { loadNative } from "../../src/sys/native.ts";
import { type DaemonPlace, placeIn, startDaemon } from "../../test/lab/support/daemon.ts";
import type { Director } from "../../test/lab/support/director.ts";
import { Servers } from "../servers.ts";
import { yamlOf } from "./configuration.ts";
import { growthOf, type Sample } from "./flatness.ts";
import { WatchedProcesses } from "./watched.ts";

const KIB = 1024;
/**
 * What may come of a whole phase: 5 bytes a check and half a KiB a reload in the heap, where little else moves. What the
 * processes hold is rounded to pages by two allocators.
 */
const ALLOWED_BYTES = { heap: 512 * KIB, rss: 6 * KIB * KIB, descriptors: 2 } as const;
const LOOKS = 20;
/** Looking is work as well: what it needs is compiled and allocated by then. */
const LOOKS_BEFORE = 20;
/**
 * What passes before anything is judged, in terms of what is: code is compiled, tables of the engine and of the allocator grow to
 * their size. After reloads that takes longest: 8,000 of them in a row showed it.
 */
const WARM_UP = { checks: 0.25, reloads: 1.5 } as const;
const CLONE_NEWNET = 0x4000_0000;
const REPLY_MS = 120_000;

function setting(name: string, usual: number): number {
  const value = Number(process.env[name] ?? usual);
  if (!Number.isInteger(value) || value <= 0) throw new Error(`${name} is ${process.env[name]}, not a number above 0`);
  return value;
}

const checkCount = setting("LEAK_CHECKS", 100_000);
const reloadCount = setting("LEAK_RELOADS", 1_000);
const isPlanted = process.env.LEAK_PLANTED === "1";

/** Sockets that this thread makes from now on are in another network namespace: debuggers listen on the loopback of theirs. */
function enterNetwork(path: string): void {
  const fd = openSync(path, "r");
  const status = orThrow(loadNative()).setns(fd, CLONE_NEWNET);
  closeSync(fd);
  if (status < 0) throw new Error(`cannot enter ${path}: errno ${-status}`);
}

/** What V8 takes for an event: the object, its number, and the strings that are its own; one that Latin-1 has not takes two bytes a letter. */
function heapBytesOf({ at, subject, cause }: JournalEvent): number {
  const letters = (text: string): number => text.length * (/[^\0-\xff]/.test(text) ? 2 : 1);
  return 112 + [at, subject, cause].reduce((sum, text) => sum + 16 + letters(text), 0);
}

/**
 * What the supervisor keeps of events, bytes: it is judged without them. They grow to twice MAX_EVENTS, and then the older
 * half of them goes.
 */
class EventTally {
  readonly #control: ControlClient;
  #after: number | null = null;
  /** Bytes of each. */
  #kept: number[] = [];

  constructor(control: ControlClient) {
    this.#control = control;
  }

  async bytes(): Promise<number> {
    const { events, newest } = await this.#control.events({
      after: this.#after ?? 0,
      limit: MAX_EVENTS_PER_PAGE,
      types: [],
      sinceMs: null,
    });
    this.#after = newest;
    for (const event of events) {
      this.#kept.push(heapBytesOf(event));
      if (this.#kept.length >= 2 * MAX_EVENTS) this.#kept = this.#kept.slice(-MAX_EVENTS);
    }
    return this.#kept.reduce((sum, bytes) => sum + bytes, 0);
  }
}

type Series = Map<string, Sample[]>;

/** Does a phase to its end, and looks on the way. */
async function phase(of: {
  readonly watched: WatchedProcesses;
  readonly events: EventTally;
  readonly total: number;
  /** Before the first look. */
  readonly warmUp: number;
  /** Goes on until so many are done. @returns how many are */
  readonly advance: (to: number) => Promise<number>;
}): Promise<Series> {
  const series: Series = new Map();
  for (let look = 0; look <= LOOKS; look += 1) {
    const done = await of.advance(Math.round(of.total * (of.warmUp + look / LOOKS)));
    const eventBytes = await of.events.bytes();
    for (const [name, seen] of await of.watched.look()) {
      const bytes = /^supervisor (heap|rss)$/.test(name) ? seen - eventBytes : seen;
      const samples = series.get(name) ?? [];
      samples.push({ at: done, bytes });
      series.set(name, samples);
    }
  }
  return series;
}

/** Prints a phase. @returns what grew more than it may */
function judge(title: string, series: Series): string[] {
  const failures: string[] = [];
  console.log(`\n${title}\n| of | first | last | growth | each |\n|--|--|--|--|--|`);
  for (const [name, samples] of series) {
    const quantity = name.slice(name.indexOf(" ") + 1) as keyof typeof ALLOWED_BYTES;
    const { bytes, bytesEach } = growthOf(samples);
    const text = (value: number): string =>
      quantity === "descriptors" ? value.toFixed(0) : `${(value / KIB).toFixed(0)} KiB`;
    const each = quantity === "descriptors" ? "" : `${bytesEach.toFixed(2)} B`;
    console.log(
      `| ${name} | ${text(samples[0]?.bytes ?? 0)} | ${text(samples.at(-1)?.bytes ?? 0)} | ${text(bytes)} | ${each} |`,
    );
    if (bytes > ALLOWED_BYTES[quantity]) failures.push(`${title}: ${name} grew by ${text(bytes)}`);
  }
  return failures;
}

/** On a kernel without IPVS the checker writes to a table that is played. */
const hasIpvs = existsSync("/proc/net/ip_vs");

function start(servers: Servers, home: string): Director {
  const imports = [...(hasIpvs ? [] : ["../played-table.js"]), ...(isPlanted ? ["./planted.js"] : [])];
  const loaded = imports.map((module) => ` --import=${new URL(module, import.meta.url).href}`).join("");
  return startDaemon(servers.director, home, {
    yaml: yamlOf(0),
    environment: { NODE_OPTIONS: `--inspect=127.0.0.1:0${loaded}` },
  });
}

async function watch(servers: Servers, place: DaemonPlace, home: string): Promise<string[]> {
  const director = start(servers, home);
  const watched = await WatchedProcesses.attach([[director.program, 3]]);
  const control = new ControlClient({ path: join(place.runDir, "control.sock"), timeoutMs: REPLY_MS });
  const untilChecks = async (to: number): Promise<number> => {
    while (servers.accepted() < to) {
      if (director.program.hasEnded) throw new Error(`the daemon ended:\n${director.lines.slice(-20).join("\n")}`);
      await sleep(100);
    }
    return servers.accepted();
  };
  const events = new EventTally(control);
  let reloaded = 0;
  const reload = async (to: number): Promise<number> => {
    for (; reloaded < to; reloaded += 1) {
      writeFileSync(place.file, yamlOf(reloaded + 1));
      const outcome = await control.reload();
      if (!outcome.ok) throw new Error(`reload ${reloaded + 1}: ${outcome.error.message}`);
    }
    return reloaded;
  };
  for (let look = 0; look < LOOKS_BEFORE; look += 1) {
    await events.bytes();
    await watched.look();
  }
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1000).toFixed(0);
  const failures = judge(
    `${checkCount} checks`,
    await phase({ watched, events, total: checkCount, warmUp: WARM_UP.checks, advance: untilChecks }),
  );
  console.log(`after ${seconds()} s`);
  failures.push(
    ...judge(
      `${reloadCount} reloads`,
      await phase({ watched, events, total: reloadCount, warmUp: WARM_UP.reloads, advance: reload }),
    ),
  );
  console.log(`after ${seconds()} s, ${servers.accepted()} checks in all`);
  watched.close();
  await director.stop();
  return failures;
}

const home = mkdtempSync(join(tmpdir(), "holdfast-leak-"));
const servers = await Servers.up("tcp", home);
let failures: string[];
try {
  enterNetwork(`/run/netns/${servers.director.name}`);
  failures = await watch(servers, placeIn(home), home);
} finally {
  enterNetwork("/proc/1/ns/net");
  await servers.down();
  rmSync(home, { recursive: true, force: true });
}
for (const failure of failures) console.error(`leak: ${failure}`);
if (failures.length === 0) console.log("leak: flat");
process.exitCode = failures.length === 0 ? 0 : 1;
