import { readFileSync } from "node:fs";

/** Kernel ticks per second in /proc/PID/stat (USER_HZ). */
const TICKS_PER_S = 100;

/** CPU seconds that processes have used so far, user and system, with the children they have waited for. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the command's name, which may hold blanks: field 3 is the first, so utime (14) is number 11.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  }
  return ticks / TICKS_PER_S;
}

/** Memory of processes in MB, what they share counted in parts. */
export function pssMegabytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  }
  return kilobytes / 1000;
}

/** Connections that the kernel of a process's network namespace has accepted: TcpPassiveOpens. */
export function acceptedConnections(pid: number): number {
  const [names = "", values = ""] = readFileSync(`/proc/${pid}/net/snmp`, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Tcp:"));
  return Number(values.split(" ")[names.split(" ").indexOf("PassiveOpens")]);
}

/** Servers in the IPVS table of a process's network namespace, as /proc/net/ip_vs lists them. */
export function serversInTable(pid: number | "self"): number {
  const text = readFileSync(`/proc/${pid}/net/ip_vs`, "latin1");
  let count = -1; // the heading has one arrow
  for (let at = text.indexOf("->"); at >= 0; at = text.indexOf("->", at + 2)) count += 1;
  return Math.max(0, count);
}
