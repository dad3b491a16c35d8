import { readFileSync } from "node:fs";
import type { Capability, DaemonProcess, ProcessRights } from "../doctor/facts.ts";
import { LOCKED_BYTES, REALTIME_PRIORITY } from "./realtime.ts";

/** Bits of linux/capability.h. */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_SYS_NICE: 23,
} as const satisfies Readonly<Record<Capability, number>>;

interface ProcessFacts {
  readonly parentPid: number;
  readonly rights: ProcessRights;
}

/** Of a process that is not seen to have any. */
const NO_RIGHTS: ProcessRights = {
  capabilities: [],
  bounding: [],
  descriptorLimit: Number.POSITIVE_INFINITY,
  mayRunRealtime: false,
  mayLockMemory: false,
};

/** Those of this process. */
export function ownRights(): ProcessRights {
  return readProcess("self")?.rights ?? NO_RIGHTS;
}

/**
 * The daemon's processes, supervisor first. A pid means something in its own PID namespace only, where the children's parent is
 * the supervisor: what is found under the number of a daemon in another container is not taken for it.
 * @returns empty where not all of them show
 */
export function daemonProcesses(
  supervisorPid: number,
  children: readonly Omit<DaemonProcess, "rights">[],
): readonly DaemonProcess[] {
  const supervisor = readProcess(supervisorPid);
  const shown = children.flatMap(({ name, pid }) => {
    const child = readProcess(pid);
    return child?.parentPid === supervisorPid ? [{ name, pid, rights: child.rights }] : [];
  });
  if (supervisor === null || shown.length === 0 || shown.length < children.length) return [];
  return [{ name: "supervisor", pid: supervisorPid, rights: supervisor.rights }, ...shown];
}

/**
 * What the kernel lets a process do and have, by /proc, which shows that to everybody.
 * @returns null if there is no such process, or it is hidden (`hidepid`)
 */
function readProcess(pid: number | "self"): ProcessFacts | null {
  let status: string;
  let limits: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "latin1");
    limits = readFileSync(`/proc/${pid}/limits`, "latin1");
  } catch {
    return null;
  }
  const capabilities = setOf(status, "CapEff");
  return {
    parentPid: Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]),
    rights: {
      capabilities,
      bounding: setOf(status, "CapBnd"),
      // Node has raised it to what is allowed.
      descriptorLimit: limitOf(limits, "Max open files"),
      mayRunRealtime:
        capabilities.includes("CAP_SYS_NICE") || limitOf(limits, "Max realtime priority") >= REALTIME_PRIORITY,
      mayLockMemory: capabilities.includes("CAP_IPC_LOCK") || limitOf(limits, "Max locked memory") >= LOCKED_BYTES,
    },
  };
}

/** `CapEff:	0000000000003000` */
function setOf(status: string, name: string): readonly Capability[] {
  const bits = BigInt(`0x${new RegExp(`^${name}:\\s+([\\da-f]+)$`, "m").exec(status)?.[1] ?? "0"}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => (bits & (1n << BigInt(bit))) !== 0n)
    .map(([capability]) => capability as Capability);
}

/** The soft limit: `Max open files            65536                65536                files` */
function limitOf(limits: string, name: string): number {
  const value = new RegExp(`^${name}\\s+(\\w+)`, "m").exec(limits)?.[1];
  return value === undefined || value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
}
