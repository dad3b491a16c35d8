import { readdirSync, readFileSync } from "node:fs";

/** What a process uses, as the kernel tells it to others. */
export interface ResourceUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Open descriptors; null = this process may not see them. */
  readonly openFiles: number | null;
  /** Seconds since 1970. */
  readonly startTime: number;
}

/** The kernel gives times in these to programs, whatever it counts in itself (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat behind the name, which may hold anything: counted from the state, field 3. */
const UTIME = 11;
const STIME = 12;
const STARTTIME = 19;

/**
 * Reads /proc, which the process itself does not notice.
 * @returns null if there is no such process
 */
export function readProcessUsage(pid: number): ResourceUsage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = (index: number) => Number(fields[index] ?? Number.NaN);
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "0";
    return {
      cpuSeconds: (ticks(UTIME) + ticks(STIME)) / TICKS_PER_SECOND,
      residentBytes: Number(resident) * 1024,
      openFiles: openFilesOf(pid),
      startTime: bootTime() + ticks(STARTTIME) / TICKS_PER_SECOND,
    };
  } catch {
    return null;
  }
}

function openFilesOf(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null;
  }
}

/** Seconds since 1970. */
function bootTime(): number {
  return Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0);
}
