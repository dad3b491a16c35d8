import { familyOf, type IpText, isInNetwork } from "../base/ip.ts";
import type { DirectorConfig, InstanceConfig, ServiceConfig } from "../config/model.ts";
import { masterDownUs } from "../vrrp/timing.ts";
import type { FactInterface } from "./facts.ts";

/** An address to ask for on an interface. */
export interface Question {
  readonly interface: string;
  readonly address: IpText;
}

/** What is to be looked at for a configuration, as data: the edges do the looking. */
export interface Survey {
  readonly modules: readonly string[];
  readonly sysctls: readonly (readonly string[])[];
  /** Where VRRP is listened for, by which transport. */
  readonly listen: readonly { readonly interface: string; readonly udpPort: number | null }[];
  readonly listenMs: number;
  readonly virtualAddresses: readonly Question[];
  /** Servers that are asked only if somebody unknown answers for a virtual address. */
  readonly servers: readonly Question[];
  /** Servers of tunnels, with the largest packet that leaves for them. */
  readonly paths: readonly { readonly address: IpText; readonly bytes: number }[];
}

/** The doctor shall not take longer than a person waits, however slow the adverts. */
export const MAX_LISTEN_MS = 10_000;
/** An ARP question is a broadcast to everybody on the network. */
export const MAX_SERVERS_ASKED = 1_000;
/** Each costs two pings. */
export const MAX_PATHS = 32;

/** @param interfaces as they are now */
export function surveyOf(
  config: DirectorConfig,
  interfaces: readonly FactInterface[],
  defaultRoutes: readonly string[],
  sysctls: readonly string[],
): Survey {
  const { instances, services } = config;
  const used = [...new Set(instances.map((instance) => instance.interface))];
  const present = used.filter((name) => interfaces.some((each) => each.name === name && each.isUp));
  const listen = new Map(
    instances
      .filter((instance) => present.includes(instance.interface))
      .map(({ interface: name, transport }) => {
        const udpPort = transport.type === "udp" ? transport.port : null;
        return [`${name} ${udpPort}`, { interface: name, udpPort }] as const;
      }),
  );
  const tunnelled = services.filter(({ forward }) => forward === "tun");
  return {
    modules: services.length === 0 ? [] : ["ip_vs", ...new Set(services.map(({ scheduler }) => `ip_vs_${scheduler}`))],
    sysctls: [
      ...sysctls.map((name) => name.split(".")),
      ...["all", ...used].map((scope) => ["net", "ipv4", "conf", scope, "rp_filter"]),
    ],
    listen: [...listen.values()],
    listenMs: Math.min(MAX_LISTEN_MS, Math.max(0, ...instances.map(downMs))),
    virtualAddresses: instances
      .filter((instance) => present.includes(instance.interface))
      .flatMap((instance) => instance.addresses.map(({ address }) => ({ interface: instance.interface, address }))),
    servers: unique(
      services
        .filter(({ forward }) => forward !== "nat")
        .flatMap(({ servers }) => servers.flatMap(({ address }) => onLink(address, interfaces) ?? [])),
    ).slice(0, MAX_SERVERS_ASKED),
    paths: unique(tunnelled.flatMap((service) => pathsOf(service, interfaces, defaultRoutes))).slice(0, MAX_PATHS),
  };
}

function downMs({ priority, advertIntervalUs }: InstanceConfig): number {
  return Math.ceil(masterDownUs(priority, advertIntervalUs) / 1000);
}

function pathsOf({ servers }: ServiceConfig, interfaces: readonly FactInterface[], defaultRoutes: readonly string[]) {
  return servers.flatMap(({ address }) => {
    const mtu = egressMtu(address, interfaces, defaultRoutes);
    return mtu === null ? [] : [{ address, bytes: mtu }];
  });
}

/** The interface in whose network an IPv4 address lies; null = behind a router, or IPv6. */
export function onLink(address: IpText, interfaces: readonly FactInterface[]): Question | null {
  const found = interfaceFor(address, interfaces);
  return found === undefined || familyOf(address) === 6 ? null : { interface: found.name, address };
}

/** The interface that has an address in a network of `address`, the narrowest network first. */
export function interfaceFor(address: IpText, interfaces: readonly FactInterface[]): FactInterface | undefined {
  const candidates = interfaces
    .filter(({ name }) => name !== "lo")
    .flatMap((each) => each.addresses.filter((own) => isInNetwork(address, own)).map((own) => ({ each, own })))
    .sort((a, b) => b.own.prefixLength - a.own.prefixLength);
  return candidates[0]?.each;
}

/** The MTU of the interface that packets to an address leave by; null = not known. */
export function egressMtu(
  address: IpText,
  interfaces: readonly FactInterface[],
  defaultRoutes: readonly string[],
): number | null {
  const direct = interfaceFor(address, interfaces);
  if (direct !== undefined) return direct.mtu;
  if (familyOf(address) === 6) return null;
  return interfaces.find(({ name }) => name === defaultRoutes[0])?.mtu ?? null;
}

function unique<T extends { readonly address: IpText }>(list: readonly T[]): T[] {
  return [...new Map(list.map((each) => [each.address, each])).values()];
}
