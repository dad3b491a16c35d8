import type { IpText } from "../base/ip.ts";
import type { SyncConfig } from "../config/model.ts";

/** Which way connections travel: the master daemon sends its own, the backup daemon takes those of others. */
export type SyncRole = "master" | "backup";

/** A daemon of the kernel's connection synchronisation; a network namespace has at most one of each role. */
export interface SyncDaemon {
  readonly role: SyncRole;
  readonly interface: string;
  /** 0–255; a backup daemon with 0 takes every id. */
  readonly id: number;
  /** Multicast group. */
  readonly group: IpText;
  /** UDP port. */
  readonly port: number;
  readonly ttl: number;
  /** Bytes of one message: what a master fills at most, and what a backup has room for. */
  readonly maxBytes: number;
}

export type SyncOperation =
  | { readonly type: "startDaemon"; readonly daemon: SyncDaemon }
  | { readonly type: "stopDaemon"; readonly role: SyncRole };

/**
 * The same for both roles and on both directors, whatever the MTU of their interfaces: what one fills, the other has room
 * for. It is what the kernel takes for a master on IPv4: an Ethernet frame of 1,500 bytes without its IP and UDP headers.
 */
export const SYNC_MESSAGE_BYTES = 1472;

/** The daemons of these roles as configured. */
export function syncDaemons(config: SyncConfig, roles: readonly SyncRole[]): readonly SyncDaemon[] {
  const { interface: device, id, group, port, ttl } = config;
  return roles.map((role) => ({ role, interface: device, id, group, port, ttl, maxBytes: SYNC_MESSAGE_BYTES }));
}

/**
 * What makes the present daemons the wanted ones. One that differs is stopped and started anew: the kernel cannot change it.
 * @param isStale the present ones work on an interface that is gone, also if there is another of that name now
 */
export function syncOperations(
  present: readonly SyncDaemon[],
  wanted: readonly SyncDaemon[],
  isStale = false,
): SyncOperation[] {
  const operations: SyncOperation[] = [];
  for (const role of ["backup", "master"] as const) {
    const has = present.find((daemon) => daemon.role === role);
    const wants = wanted.find((daemon) => daemon.role === role);
    if (has !== undefined && wants !== undefined && !isStale && isSame(has, wants)) continue;
    if (has !== undefined) operations.push({ type: "stopDaemon", role });
    if (wants !== undefined) operations.push({ type: "startDaemon", daemon: wants });
  }
  return operations;
}

function isSame(a: SyncDaemon, b: SyncDaemon): boolean {
  return (
    a.interface === b.interface &&
    a.id === b.id &&
    a.group === b.group &&
    a.port === b.port &&
    a.ttl === b.ttl &&
    a.maxBytes === b.maxBytes
  );
}

/**
 * How long the master daemon goes on after its instance ceased to be master: a connection reached the other director 1.8 to
 * 2.7 s after it was made, because the kernel sends a buffer that is not full every 2 s.
 */
export const SYNC_LINGER_US = 4_000_000;

/** Whether an instance is master, and until when it matters that it was. */
export interface SyncPhase {
  readonly isMaster: boolean;
  /** When the last of what it made has been sent; null = it is master, or was not. */
  readonly lingersUntilUs: number | null;
}

export const NEVER_MASTER: SyncPhase = { isMaster: false, lingersUntilUs: null };

/** The phase after hearing whether the instance is master. */
export function followPhase(before: SyncPhase, isMaster: boolean, nowUs: number): SyncPhase {
  if (isMaster) return { isMaster, lingersUntilUs: null };
  if (before.isMaster) return { isMaster, lingersUntilUs: nowUs + SYNC_LINGER_US };
  return { isMaster, lingersUntilUs: isLingering(before, nowUs) ? before.lingersUntilUs : null };
}

/**
 * The daemons that a director runs. The backup daemon runs always: whoever becomes master knows the connections that were
 * there before, and one that was master hears of those that are made by its successor. Two masters do no harm: each tells
 * what passes through it.
 */
export function wantedRoles(phase: SyncPhase, nowUs: number): readonly SyncRole[] {
  return phase.isMaster || isLingering(phase, nowUs) ? ["backup", "master"] : ["backup"];
}

function isLingering({ lingersUntilUs }: SyncPhase, nowUs: number): boolean {
  return lingersUntilUs !== null && nowUs < lingersUntilUs;
}
