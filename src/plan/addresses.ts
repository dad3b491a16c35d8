import { type Cidr, formatCidr } from "../base/ip.ts";
import type { InstanceConfig } from "../config/model.ts";
import { type PlanGroup, type PlanStep, stepOf } from "./model.ts";

/** An address on an interface now. */
export interface PresentAddress {
  readonly interface: string;
  readonly address: Cidr;
  /** It carries holdfast's mark. */
  readonly isOwn: boolean;
}

/** What the running daemon says of its instances, by name; null = no daemon runs. */
export type Phases = ReadonlyMap<string, "initialize" | "backup" | "master" | "fault"> | null;

/** Copies of virtual addresses stand here for a moment during a handover. */
const LOOPBACK = "lo";

/**
 * What would become of virtual addresses. Who holds them is decided by VRRP, not here: a master has all of them and a node
 * that is not master has none, and both are right.
 */
export function planAddresses(
  instances: readonly InstanceConfig[],
  present: readonly PresentAddress[],
  phases: Phases,
): readonly PlanGroup[] {
  const there = new Map(present.map((each) => [keyOf(each.interface, each.address), each])); // as many as the kernel has
  const configured = new Set(
    instances.flatMap(({ interface: device, addresses }) => addresses.map((address) => keyOf(device, address))),
  );
  const addresses = new Set(instances.flatMap((instance) => instance.addresses.map(({ address }) => address)));
  const left = present.filter(
    (each) =>
      each.isOwn &&
      !configured.has(keyOf(each.interface, each.address)) &&
      !(each.interface === LOOPBACK && addresses.has(each.address.address)),
  );
  return [
    ...instances.map((instance) => planInstance(instance, there, phases)),
    {
      section: "addresses",
      title: "addresses that are not configured any more",
      steps: left.map((each) => stepOf(`address ${formatCidr(each.address)}`, `on ${each.interface}`, null)),
      notes: [],
    },
  ];
}

function planInstance(
  { name, interface: device, addresses }: InstanceConfig,
  there: ReadonlyMap<string, PresentAddress>,
  phases: Phases,
): PlanGroup {
  const phase = phases?.get(name) ?? null;
  const find = (address: Cidr) => there.get(keyOf(device, address));
  const steps: PlanStep[] = [];
  const notes: string[] = [];
  const held = addresses.filter((address) => find(address) !== undefined).map(formatCidr);
  const foreign = addresses.filter((address) => find(address)?.isOwn === false).map(formatCidr);
  if (phase === "master") {
    for (const address of addresses)
      if (find(address) === undefined) steps.push(stepOf(`address ${formatCidr(address)}`, null, `on ${device}`));
    if (held.length > 0) notes.push(`master: holds ${held.join(", ")}`);
  } else if (held.length === 0) {
    notes.push(`${phase ?? "not running"}: holds no address, as it should be`);
  } else if (phases === null) {
    notes.push(`holds ${held.join(", ")} since before; the next start goes on as master or lets go`);
  } else {
    notes.push(`${phase ?? "not running yet"}: holds ${held.join(", ")}; the vrrp process decides`);
  }
  if (foreign.length > 0) notes.push(`${foreign.join(", ")} was put there by somebody else and stays`);
  return { section: "addresses", title: `instance ${name} on ${device}`, steps, notes };
}

function keyOf(device: string, address: Cidr): string {
  return `${device} ${formatCidr(address)}`;
}
