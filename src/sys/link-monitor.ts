import type { DirectorError } from "../base/director-error.ts";
import { familyOf, formatCidr, type IpText } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import {
  decodeRouteMessage,
  encodeDumpAddresses,
  encodeDumpLinks,
  IFA_F_SECONDARY,
  IFF_NOARP,
  type InterfaceAddress,
  isLinkUsable,
  type Link,
  type RouteMessage,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_LINK,
} from "../netlink/route.ts";
import type { NetlinkSocket } from "../ports/netlink-socket.ts";
import { OWN_ADDRESS_PROTOCOL } from "./addresses.ts";
import { NETLINK_ROUTE } from "./constants.ts";
import { NetlinkEvents } from "./netlink-events.ts";
import { KernelNetlinkSocket } from "./netlink-socket.ts";

/** RT_SCOPE_UNIVERSE: addresses that mean the same everywhere; host and link scopes are larger numbers. */
const SCOPE_GLOBAL = 0;
/** If events are lost even while everything is read, it is read again this often; the next loss starts anew. */
const READ_ATTEMPTS = 3;

/** An interface as the kernel has it now. */
export interface InterfaceState {
  readonly name: string;
  /** A deleted interface that is created again under its name gets another index: sockets must be opened anew. */
  readonly index: number;
  /** Administratively up and with carrier. */
  readonly isUp: boolean;
  /** `02:00:00:00:00:0b`; null for devices without one. */
  readonly mac: string | null;
  /** False for devices that speak no ARP (tunnels, loopback): nothing to announce there. */
  readonly hasArp: boolean;
  /** In the order in which they were added, virtual ones included; `protocol` tells who added them. */
  readonly addresses: readonly InterfaceAddress[];
  /** The first global IPv4 address that holdfast did not put there: the source of adverts. */
  readonly primaryIpv4: IpText | null;
}

export interface LinkMonitorCollaborators {
  /** Something about an interface changed; null: no interface has that name any more. Not called for the state at the start. */
  readonly onChange: (name: string, state: InterfaceState | null) => void;
  /** Reading everything anew after lost events failed: what is known may be stale. */
  readonly onError: (error: DirectorError) => void;
}

/**
 * Knows all interfaces and their addresses, and hears of changes at once by netlink events; nothing is polled. When events
 * were lost, everything is read anew and the differences are reported.
 */
export class LinkMonitor {
  readonly #netlink: NetlinkSocket;
  readonly #collaborators: LinkMonitorCollaborators;
  /** By index; as many as the kernel has. */
  readonly #links = new Map<number, Link>();
  /** By interface index, then by address and prefix; as many as the kernel has. */
  readonly #addresses = new Map<number, Map<string, InterfaceAddress>>();
  /** What was reported last, by name; as many as there are interfaces. */
  readonly #reported = new Map<string, InterfaceState>();
  #events: NetlinkEvents | undefined;
  /** While everything is read anew: half a picture is not reported. */
  #isReading = false;
  /** Events were lost while everything was read. */
  #isStale = false;

  private constructor(netlink: NetlinkSocket, collaborators: LinkMonitorCollaborators) {
    this.#netlink = netlink;
    this.#collaborators = collaborators;
  }

  /** Subscribes, then reads everything, so that no change falls in between. */
  static open(collaborators: LinkMonitorCollaborators): Result<LinkMonitor, DirectorError> {
    const netlink = KernelNetlinkSocket.open(NETLINK_ROUTE, "socket for reading interfaces");
    if (!netlink.ok) return netlink;
    const monitor = new LinkMonitor(netlink.value, collaborators);
    const events = NetlinkEvents.open(
      {
        protocol: NETLINK_ROUTE,
        groups: [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR],
        what: "socket for interface events",
      },
      { onMessage: (message) => monitor.#onMessage(message), onOverrun: () => monitor.#onOverrun() },
    );
    if (!events.ok) {
      netlink.value.close();
      return events;
    }
    monitor.#events = events.value;
    const read = monitor.#readAll();
    if (!read.ok) {
      monitor.close();
      return read;
    }
    for (const state of monitor.#states()) monitor.#reported.set(state.name, state);
    return ok(monitor);
  }

  /** The interface of that name, as last heard; undefined if there is none. */
  get(name: string): InterfaceState | undefined {
    return this.#reported.get(name);
  }

  /** All interfaces. */
  all(): readonly InterfaceState[] {
    return [...this.#reported.values()];
  }

  /** How often events were lost and everything was read anew. */
  get overruns(): number {
    return this.#events?.overruns ?? 0;
  }

  /** Handles events that wait in the kernel, without waiting for the event loop. */
  drain(): void {
    this.#events?.drain();
  }

  close(): void {
    this.#events?.close();
    this.#netlink.close();
  }

  #readAll(): Result<void, DirectorError> {
    this.#isReading = true;
    let outcome: Result<void, DirectorError> = ok(undefined);
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
      this.#isStale = false;
      outcome = this.#readOnce();
      if (!outcome.ok || !this.#isStale) break;
    }
    this.#isReading = false;
    return outcome;
  }

  #readOnce(): Result<void, DirectorError> {
    const links = this.#netlink.dump(encodeDumpLinks());
    if (!links.ok) return links;
    const addresses = this.#netlink.dump(encodeDumpAddresses());
    if (!addresses.ok) return addresses;
    this.#links.clear();
    this.#addresses.clear();
    for (const message of [...links.value, ...addresses.value]) this.#apply(message);
    // Events that were queued meanwhile may be older than the dump; played to the end they lead to the present.
    this.#events?.drain();
    return ok(undefined);
  }

  #onOverrun(): void {
    if (this.#isReading) {
      this.#isStale = true;
      return;
    }
    const read = this.#readAll();
    if (!read.ok) {
      this.#collaborators.onError(read.error);
      return;
    }
    const states = this.#states();
    const names = new Set(states.map((state) => state.name));
    for (const name of [...this.#reported.keys()]) if (!names.has(name)) this.#report(name, null);
    for (const state of states) this.#report(state.name, state);
  }

  #onMessage(message: Buffer): void {
    const touched = this.#apply(message);
    if (touched === undefined || this.#isReading) return;
    const link = this.#links.get(touched.index);
    for (const name of touched.names) if (name !== link?.name) this.#report(name, this.#stateOfName(name));
    if (link !== undefined) this.#report(link.name, this.#stateOf(link));
  }

  /** Takes a message into the picture. @returns the interface it was about, and the names it had before */
  #apply(message: Buffer): { index: number; names: readonly string[] } | undefined {
    const decoded = decodeRouteMessage(message);
    // Kernels may learn to say things that we cannot read; what we can read still holds.
    if (!decoded.ok) return undefined;
    if (decoded.value.type === "link") return this.#applyLink(decoded.value);
    if (decoded.value.type === "address") return this.#applyAddress(decoded.value);
    return undefined;
  }

  #applyLink({ present, link }: Extract<RouteMessage, { type: "link" }>): { index: number; names: readonly string[] } {
    const before = this.#links.get(link.index);
    if (present) this.#links.set(link.index, link);
    else {
      this.#links.delete(link.index);
      this.#addresses.delete(link.index);
    }
    return { index: link.index, names: before === undefined ? [] : [before.name] };
  }

  #applyAddress({ present, address }: Extract<RouteMessage, { type: "address" }>): {
    index: number;
    names: readonly string[];
  } {
    const index = address.interfaceIndex;
    const key = formatCidr(address.address);
    const known = this.#addresses.get(index) ?? new Map<string, InterfaceAddress>();
    if (present) this.#addresses.set(index, known.set(key, address));
    else known.delete(key);
    return { index, names: [] };
  }

  #states(): readonly InterfaceState[] {
    return [...this.#links.values()].map((link) => this.#stateOf(link));
  }

  #stateOfName(name: string): InterfaceState | null {
    const link = [...this.#links.values()].find((candidate) => candidate.name === name);
    return link === undefined ? null : this.#stateOf(link);
  }

  #stateOf(link: Link): InterfaceState {
    const addresses = [...(this.#addresses.get(link.index)?.values() ?? [])];
    return {
      name: link.name,
      index: link.index,
      isUp: isLinkUsable(link),
      mac: link.mac,
      hasArp: (link.flags & IFF_NOARP) === 0,
      addresses,
      primaryIpv4: primaryIpv4(addresses),
    };
  }

  #report(name: string, state: InterfaceState | null): void {
    const before = this.#reported.get(name);
    if (state === null) {
      if (!this.#reported.delete(name)) return;
    } else {
      if (before !== undefined && isSame(before, state)) return;
      this.#reported.set(name, state);
    }
    this.#collaborators.onChange(name, state);
  }
}

/**
 * The address that adverts come from: the first global one that holdfast did not make. A secondary counts only where there is
 * nothing else: with a virtual address of the same network as its primary, the interface's own address is one.
 */
export function primaryIpv4(addresses: readonly InterfaceAddress[]): IpText | null {
  const own = addresses.filter(
    ({ address, protocol }) => familyOf(address.address) === 4 && protocol !== OWN_ADDRESS_PROTOCOL,
  );
  const isPrimary = ({ flags }: InterfaceAddress) => (flags & IFA_F_SECONDARY) === 0;
  const isGlobal = ({ scope }: InterfaceAddress) => scope === SCOPE_GLOBAL;
  const chosen =
    own.find((each) => isPrimary(each) && isGlobal(each)) ?? own.find(isGlobal) ?? own.find(isPrimary) ?? own[0];
  return chosen?.address.address ?? null;
}

function isSame(a: InterfaceState, b: InterfaceState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
