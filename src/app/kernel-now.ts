import { existsSync } from "node:fs";
import type { DirectorError } from "../base/director-error.ts";
import { ok, type Result } from "../base/result.ts";
import type { DirectorConfig } from "../config/model.ts";
import { type Phases, planAddresses } from "../plan/addresses.ts";
import type { PlanGroup } from "../plan/model.ts";
import type { ServicesNow } from "../plan/services.ts";
import { planSync } from "../plan/sync.ts";
import { planSysctls } from "../plan/sysctls.ts";
import { type AddressList, listAddresses } from "../sys/address-list.ts";
import { NETLINK_GENERIC } from "../sys/constants.ts";
import { KernelNetlinkSocket } from "../sys/netlink-socket.ts";
import { readSysctl } from "../sys/sysctl.ts";
import { IpvsKernel } from "./ipvs-kernel.ts";
import { readOwnedServices } from "./ipvs-state.ts";

/** Is there in every network namespace as soon as IPVS is loaded. Asking by netlink would load it. */
const IPVS_LOADED = "/proc/net/ip_vs";

/** The kernel's table and what of it is ours; empty while IPVS is not loaded. Needs the privilege to see it. */
export function readServicesNow(stateDir: string): Result<ServicesNow, DirectorError> {
  const owned = readOwnedServices(stateDir);
  return withIpvs({ observed: { services: [], foreignServices: 0 }, owned }, (kernel) => {
    const observed = kernel.read();
    return observed.ok ? ok({ observed: observed.value, owned }) : observed;
  });
}

/** What a plan holds besides the kernel's table. */
export function planSurroundings(
  config: DirectorConfig,
  phases: Phases,
  /** The configuration that is in force; null = no daemon runs. */
  before: DirectorConfig | null,
): Result<readonly PlanGroup[], DirectorError> {
  const list = listAddresses();
  if (!list.ok) return list;
  const sync = planSyncNow(config, list.value, phases, before);
  if (!sync.ok) return sync;
  const { services, ipvs } = config;
  return ok([
    ...planAddresses(config.instances, list.value.addresses, phases),
    planSysctls({ services, sync: config.sync, isManaged: ipvs.manageSysctls }, presentSysctl),
    sync.value,
  ]);
}

function planSyncNow(
  config: DirectorConfig,
  { interfaces }: AddressList,
  phases: Phases,
  before: DirectorConfig | null,
): Result<PlanGroup, DirectorError> {
  const present = withIpvs([], (kernel) => kernel.syncDaemons());
  if (!present.ok) return present;
  const now = {
    present: present.value,
    hasInterface: config.sync !== null && interfaces.has(config.sync.interface),
    isOurs: before !== null && before.sync !== null,
  };
  return ok(planSync(config.sync, now, phases, { hasInstances: config.instances.length > 0 }));
}

function withIpvs<Value>(
  unloaded: Value,
  use: (kernel: IpvsKernel) => Result<Value, DirectorError>,
): Result<Value, DirectorError> {
  if (!existsSync(IPVS_LOADED)) return ok(unloaded);
  const socket = KernelNetlinkSocket.open(NETLINK_GENERIC, "IPVS netlink socket for a plan");
  if (!socket.ok) return socket;
  try {
    const kernel = IpvsKernel.open({ socket: socket.value });
    return kernel.ok ? use(kernel.value) : kernel;
  } finally {
    socket.value.close();
  }
}

function presentSysctl(name: string): string | null {
  const present = readSysctl(name.split("."));
  // Where a setting is two numbers, the kernel puts a tab between them.
  return present.ok ? present.value.replace(/\s+/g, " ") : null;
}
