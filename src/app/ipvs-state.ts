import { readFileSync } from "node:fs";
import { join } from "node:path";
import { orThrow } from "../base/result.ts";
import type { Logger } from "../ports/logger.ts";
import { NETLINK_GENERIC } from "../sys/constants.ts";
import { KernelNetlinkSocket } from "../sys/netlink-socket.ts";
import { IpvsOwnership, ownedServices } from "./ipvs-ownership.ts";
import { IpvsTableKeeper } from "./ipvs-table.ts";
import { fileStore } from "./state-store.ts";

/** Which services in the kernel are ours, for the next start. */
const OWNERSHIP_FILE = "ipvs-services.json";
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

/** @throws DirectorError when the kernel has no IPVS, or the privilege is missing */
export function openTable(stateDir: string, logger: Logger): IpvsTableKeeper {
  const socket = orThrow(KernelNetlinkSocket.open(NETLINK_GENERIC, "IPVS netlink socket"));
  return orThrow(IpvsTableKeeper.open({ socket, ownership: loadOwnership(stateDir, logger) }));
}

/** The services that are ours, for who only looks. */
export function readOwnedServices(stateDir: string): ReadonlySet<string> {
  try {
    return ownedServices(readFileSync(join(stateDir, OWNERSHIP_FILE), "utf8"), bootId());
  } catch {
    return new Set();
  }
}

export function loadOwnership(stateDir: string, logger: Logger): IpvsOwnership {
  return IpvsOwnership.load({ bootId: bootId() }, { store: fileStore(join(stateDir, OWNERSHIP_FILE)), logger });
}

function bootId(): string {
  return readFileSync(BOOT_ID_FILE, "utf8").trim();
}
