import { readdirSync, readFileSync } from "node:fs";
import { EPERM, ESRCH, errnoName } from "./errno.ts";
import type { Native } from "./native.ts";

const SCHED_OTHER = 0;
const SCHED_RR = 2;
/**
 * Above every ordinary process, and below the kernel's own threads for interrupts (50), which bring the packets. One of 1 would do
 * as well; a few are left below for what an operator thinks less urgent.
 */
export const REALTIME_PRIORITY = 10;
/** What of Node and its libraries is locked (about 100 MB), and some to spare. */
export const LOCKED_BYTES = 128 * 1024 * 1024;

const TASKS = "/proc/self/task";
const MAPS = "/proc/self/maps";
/** `7f00-7fff r-xp 00000000 08:01 1234 /usr/bin/node`; an inode of 0 = not a file. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)/;

interface Range {
  readonly address: number;
  readonly length: number;
}

/**
 * Runs this whole process with real-time priority, and keeps its program in memory, so that neither a busy machine nor a disk
 * delays it; or undoes that. Every thread: the main one waits for the others when memory is collected.
 *
 * Not mlockall: V8 gives memory back with MADV_DONTNEED, the kernel refuses that for locked pages, and V8 ends the process
 * (seen with Node 20.20). What is mapped from files is locked, node itself and its libraries; what V8 allocates is not, and
 * a machine that swaps may delay it.
 * @returns sentences about what was refused, each with the remedy; empty = all is as wanted
 */
export function setRealtime(on: boolean, native: Native): readonly string[] {
  const refused = [schedule(on, native), keepInMemory(on, native)];
  return on ? refused.filter((sentence) => sentence !== null) : [];
}

function schedule(on: boolean, native: Native): string | null {
  const [policy, priority] = on ? [SCHED_RR, REALTIME_PRIORITY] : [SCHED_OTHER, 0];
  for (const thread of readdirSync(TASKS)) {
    const errno = -native.sched_setscheduler(Number(thread), policy, priority);
    // A thread that has just ended needs no priority.
    if (errno <= 0 || errno === ESRCH) continue;
    const remedy =
      errno === EPERM
        ? `give it CAP_SYS_NICE or LimitRTPRIO=${REALTIME_PRIORITY}, and RestrictRealtime=no, in its systemd unit`
        : "the kernel's log may say more";
    return `vrrp.realtime: real-time priority was refused (${errnoName(errno)}), a busy machine may delay adverts; ${remedy}`;
  }
  return null;
}

function keepInMemory(on: boolean, native: Native): string | null {
  for (const { address, length } of mappedFiles()) {
    const errno = on ? -native.mlock(address, length) : -native.munlock(address, length);
    if (errno <= 0 || !on) continue;
    return `vrrp.realtime: the program could not be locked in memory (${errnoName(errno)}), a busy disk may delay adverts; give it CAP_IPC_LOCK or LimitMEMLOCK=infinity in its systemd unit`;
  }
  return null;
}

/** Readable mappings of files: as many as the process has libraries, a few dozen. */
function mappedFiles(): readonly Range[] {
  return readFileSync(MAPS, "latin1")
    .split("\n")
    .flatMap((line): Range[] => {
      const [, first = "", end = "", rights = "", inode = "0"] = MAPPING.exec(line) ?? [];
      if (inode === "0" || !rights.startsWith("r")) return [];
      const address = Number.parseInt(first, 16);
      return [{ address, length: Number.parseInt(end, 16) - address }];
    });
}
