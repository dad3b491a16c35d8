import { type Cidr, formatCidr } from "../base/ip.ts";
import type { InstanceConfig } from "../config/model.ts";
import type { LastAdvert } from "../sys/advert-memory.ts";
import type { InterfaceState } from "../sys/link-monitor.ts";
import { DOWN_INTERVALS } from "../vrrp/timing.ts";

/** From the decision to the advert that keeps peers from taking over, on a slow machine. */
const MARGIN_US = 10_000;

/** What the run before left, and what is still known about it. */
export interface Leftovers {
  /** Addresses that carry holdfast's mark, by interface; as many as the kernel has. */
  readonly addresses: ReadonlyMap<string, readonly Cidr[]>;
  /** @returns undefined for a virtual router that was not master, or was leaving */
  lastAdvert(interfaceName: string, vrid: number): LastAdvert | undefined;
  /** Names of the instances that were asked to rest, and still did; as many as were configured. */
  readonly resting: ReadonlySet<string>;
}

/** How instances go on after a run that was killed, by name. The rest start as usual. */
export interface CrashReturn {
  /** No peer can have taken over yet: they go on as masters, and their addresses stay where they are. */
  readonly resuming: ReadonlySet<string>;
  /** They left addresses, and too much time has passed: a last priority 0 says that nobody serves them. */
  readonly departed: ReadonlySet<string>;
  /** They leave any living master alone, as before. */
  readonly resting: ReadonlySet<string>;
}

export const NO_CRASH: CrashReturn = { resuming: new Set(), departed: new Set(), resting: new Set() };

/**
 * Decides what becomes of each instance whose addresses were left. A peer takes over three intervals and its skew after the
 * last advert; until then the addresses are rightfully ours.
 * @param nowUs on the clock of the adverts
 */
export function planReturn(
  instances: readonly InstanceConfig[],
  leftovers: Leftovers,
  link: (name: string) => InterfaceState | undefined,
  nowUs: number,
): CrashReturn {
  const resuming = new Set<string>();
  const departed = new Set<string>();
  for (const { name, interface: device, vrid, addresses } of instances) {
    const left = new Set(leftovers.addresses.get(device)?.map(formatCidr));
    const found = addresses.filter((address) => left.has(formatCidr(address))).length;
    if (found === 0) continue;
    const state = link(device);
    const canServe = state?.isUp === true && state.primaryIpv4 !== null;
    const last = leftovers.lastAdvert(device, vrid);
    const isTimely = last !== undefined && last.atUs <= nowUs && nowUs + MARGIN_US < takenOverAtUs(last);
    if (canServe && isTimely && found === addresses.length) resuming.add(name);
    else departed.add(name);
  }
  return { resuming, departed, resting: leftovers.resting };
}

/** The earliest takeover by a peer that heard the last advert, whatever its priority. */
function takenOverAtUs({ atUs, intervalUs }: LastAdvert): number {
  return atUs + DOWN_INTERVALS * intervalUs;
}

/** The addresses that nobody serves: all that were left, without those that go on. By interface. */
export function addressesToRemove(
  instances: readonly InstanceConfig[],
  leftovers: Leftovers,
  { resuming }: CrashReturn,
): ReadonlyMap<string, readonly Cidr[]> {
  const kept = new Set(
    instances
      .filter(({ name }) => resuming.has(name))
      .flatMap(({ interface: device, addresses }) => addresses.map((address) => `${device} ${formatCidr(address)}`)),
  );
  return new Map(
    [...leftovers.addresses].map(([device, addresses]) => [
      device,
      addresses.filter((address) => !kept.has(`${device} ${formatCidr(address)}`)),
    ]),
  );
}
