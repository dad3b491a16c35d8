import { type Cidr, familyOf, formatCidr, IPV4_BITS, ipFromBytes, ipToBytes, isUnicast } from "../../base/ip.ts";
import type { InstanceConfig } from "../model.ts";
import type { Placed } from "../placed.ts";
import type { ConfigProblem, Finding, Location } from "../problem.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import { trackProblems } from "./track.ts";
import { hmacProblems, transportProblems } from "./transport.ts";

/** The count of addresses is one byte of an advert. */
const MAX_ADDRESSES = 255;

export type PlacedInstance = Placed<InstanceConfig, RawInstance>;

/** Rules that join instances, or that the schema cannot see. */
export function instanceProblems(instances: readonly PlacedInstance[]): ConfigProblem[] {
  return [
    ...sameVrid(instances),
    ...instances.flatMap((instance) => [
      ...addressProblems(instance),
      ...ownerProblems(instance),
      ...transportProblems(instance),
      ...hmacProblems(instance),
      ...trackProblems(instance),
    ]),
    ...sameAddress(instances),
  ];
}

/** RFC 9568 section 6.1: the owner of the addresses always preempts. */
function ownerProblems(instance: PlacedInstance): ConfigProblem[] {
  const { priority, preempt } = instance.value;
  if (priority !== 255 || preempt.mode === "always" || !instance.isSound("preempt")) return [];
  const finding: Finding = {
    severity: "warning",
    code: "suspicious",
    message: "`preempt` has no effect with priority 255: the owner of an address always takes it back",
    hint: "write a priority of at most 254, or remove preempt",
  };
  return [
    instance.problemAtKey(["preempt"], finding, {
      message: "the priority stands",
      location: instance.locate("priority"),
    }),
  ];
}

/** A VRID twice on an interface would make two routers that take each other's adverts for their own. */
function sameVrid(instances: readonly PlacedInstance[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, PlacedInstance>();
  for (const instance of instances) {
    const key = `${instance.value.vrid} ${instance.value.interface}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, instance);
      continue;
    }
    const { vrid } = instance.value;
    const finding: Finding = {
      code: "conflict",
      message: `virtual router id ${vrid} is used twice on interface ${instance.value.interface}, by \`${other.value.name}\` and \`${instance.value.name}\``,
      expected: "an id of its own for every instance on an interface",
      hint: hintForFreeVrid(instances, instance.value.interface),
    };
    problems.push(instance.problem(["vrid"], finding, { message: "first used", location: other.locate("vrid") }));
  }
  return problems;
}

function hintForFreeVrid(instances: readonly PlacedInstance[], interfaceName: string): string | null {
  const used = new Set(
    instances.filter(({ value }) => value.interface === interfaceName).map(({ value }) => value.vrid),
  );
  const highest = Math.max(...used);
  const free = highest < 255 ? highest + 1 : [...Array(255).keys()].map((n) => n + 1).find((vrid) => !used.has(vrid));
  return free === undefined ? null : `${free} is not used in this file; write the same number on the other director`;
}

function addressProblems(instance: PlacedInstance): ConfigProblem[] {
  const { addresses } = instance.value;
  const problems = addresses.flatMap((cidr, index) => {
    const finding = impossibleVirtualAddress(cidr);
    return finding === null ? [] : [instance.problem(["addresses", index], finding)];
  });
  if (addresses.length > MAX_ADDRESSES) {
    problems.push(
      instance.problem(["addresses", MAX_ADDRESSES], {
        code: "impossible",
        message: `an advert carries at most ${MAX_ADDRESSES} addresses, and this instance has ${addresses.length}`,
        hint: "make a second instance with a virtual router id of its own",
      }),
    );
  }
  return problems;
}

function impossibleVirtualAddress(cidr: Cidr): Finding | null {
  const { address, prefixLength } = cidr;
  const expected = "an address that a machine can have";
  if (familyOf(address) === 6) {
    return {
      code: "not-supported",
      message:
        "IPv6 addresses are not supported in an instance in this version of holdfast, which speaks VRRPv3 over IPv4 only",
      expected: "an IPv4 address with its prefix length, 192.0.2.10/24",
      hint: "remove it; services may listen on IPv6 addresses that something else keeps on the machine",
    };
  }
  if (address.startsWith("127.")) {
    return {
      code: "impossible",
      message: "a loopback address cannot be a virtual address: no other machine can reach it",
      expected,
    };
  }
  if (!isUnicast(address)) {
    return {
      code: "impossible",
      message: "a multicast, broadcast or unspecified address cannot be a virtual address",
      expected,
    };
  }
  const edges = networkEdges(cidr);
  if (edges === null) return null;
  if (address === edges.network || address === edges.broadcast) {
    const what = address === edges.network ? "the address of the network itself" : "the broadcast address";
    return {
      code: "impossible",
      message: `${address} is ${what} in ${formatCidr({ address: edges.network, prefixLength })}`,
      expected: `an address between ${edges.network} and ${edges.broadcast}, or another prefix length`,
    };
  }
  return null;
}

/** First and last address of an IPv4 network; null where these are ordinary addresses (/31, /32) and for IPv6. */
export function networkEdges({
  address,
  prefixLength,
}: Cidr): { readonly network: string; readonly broadcast: string } | null {
  if (familyOf(address) === 6 || prefixLength > IPV4_BITS - 2) return null;
  const value = ipToBytes(address).readUInt32BE();
  const hostMask = 2 ** (IPV4_BITS - prefixLength) - 1;
  const network = value - (value % (hostMask + 1));
  const text = (number: number): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number);
    return ipFromBytes(bytes);
  };
  return { network: text(network), broadcast: text(network + hostMask) };
}

/** A virtual address belongs to one instance: two would move it independently. */
function sameAddress(instances: readonly PlacedInstance[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const first = new Map<string, { readonly instance: PlacedInstance; readonly location: Location }>();
  for (const instance of instances) {
    for (const [index, { address }] of instance.value.addresses.entries()) {
      const other = first.get(address);
      const location = instance.locate("addresses", index);
      if (other === undefined) {
        first.set(address, { instance, location });
        continue;
      }
      const isOwn = other.instance === instance;
      const message = isOwn
        ? `${address} stands twice in instance \`${instance.value.name}\``
        : `${address} is an address of two instances, \`${other.instance.value.name}\` and \`${instance.value.name}\``;
      const hint = isOwn
        ? "remove one of the two"
        : "two instances may be served by two different nodes; keep it in one of them";
      problems.push(
        instance.problem(
          ["addresses", index],
          { code: "conflict", message, hint },
          { message: "first defined", location: other.location },
        ),
      );
    }
  }
  return problems;
}
