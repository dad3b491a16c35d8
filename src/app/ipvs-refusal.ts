import { constants } from "node:os";
import { destinationKey, serviceKey } from "../ipvs/keys.ts";
import type { IpvsOperation } from "../ipvs/model.ts";
import type { SyncOperation } from "../ipvs/sync.ts";

const { EAFNOSUPPORT, EEXIST, EINVAL, ENETUNREACH, ENODEV, ENOENT, ENOMEM, ERANGE, ESRCH } = constants.errno;

const VERBS: Readonly<Record<IpvsOperation["type"], string>> = {
  addService: "adding service",
  setService: "changing service",
  deleteService: "removing service",
  addDestination: "adding server",
  setDestination: "changing server",
  deleteDestination: "removing server",
};

/** @param errno positive, from the kernel's answer to the operation */
export function explainRefusal(operation: IpvsOperation, errno: number): string {
  const service = serviceKey(operation.service);
  const object =
    "destination" in operation ? `${destinationKey(operation.destination)} of service ${service}` : service;
  return `${VERBS[operation.type]} ${object}: ${explainCause(operation, errno)}`;
}

/** As above, the cause alone: a clause. */
export function explainCause(operation: IpvsOperation, errno: number): string {
  if (errno === ENOMEM) return "the kernel has no memory left";
  if (errno === EAFNOSUPPORT) return "the kernel has no IPVS for this address family";
  if ("settings" in operation) {
    const { scheduler } = operation.settings;
    if (errno === ENOENT) return `the kernel has no scheduler ${scheduler} (module ip_vs_${scheduler})`;
    if (errno === EINVAL) return "the kernel finds its settings invalid";
  } else if ("destination" in operation) {
    if (errno === ESRCH) return "the kernel does not have the service";
    if (errno === ERANGE) return "the kernel finds its weight out of range";
    if (errno === EINVAL) {
      // An IPv4 address counts as broadcast where no interface has an address yet, not even the loopback.
      return "the kernel finds its address unusable: unspecified, multicast, broadcast, of another family, or no interface is up";
    }
  }
  return plainCause(errno);
}

/**
 * Why the kernel did not start or stop a daemon of connection synchronisation, and what to do.
 * @param errno positive, from the kernel's answer
 */
export function explainSyncRefusal(operation: SyncOperation, errno: number): string {
  if (operation.type === "stopDaemon") return `the ${operation.role} daemon could not be stopped: ${plainCause(errno)}`;
  const { role, interface: device } = operation.daemon;
  return `the ${role} daemon could not be started: ${syncCause(device, errno)}`;
}

function syncCause(device: string, errno: number): string {
  if (errno === ENODEV) return `there is no interface ${device}; create it, or correct sync.interface`;
  if (errno === ENETUNREACH) return `interface ${device} is down; \`ip link set ${device} up\``;
  if (errno === EEXIST) return "another program has just started one; only one program may run them";
  if (errno === EINVAL)
    return "the kernel finds it invalid: it has no connection synchronisation while a service has servers of the other address family";
  if (errno === ENOMEM) return "the kernel has no memory left";
  return plainCause(errno);
}

function plainCause(errno: number): string {
  const name = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? "unknown";
  return `the kernel answers ${name} (${errno})`;
}
