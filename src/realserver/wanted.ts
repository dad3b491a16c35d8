import { bitsOf, familyOf, type IpText, isUnicast, parseCidr } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";

/** How this machine is kept from answering ARP for the virtual address, and from asking in its name. */
export type ArpWay = "sysctl" | "nft";

/** What the director wraps packets in. */
export type TunnelWay =
  | { readonly type: "ipip" }
  | { readonly type: "gre" }
  | { readonly type: "gue"; readonly port: number };

/** One virtual address that this machine serves as a real server. */
export interface Wanted {
  readonly address: IpText;
  /** Who asked for it: a name that several addresses share and go with; null = this address alone. */
  readonly name: string | null;
  /** null = direct routing. */
  readonly tunnel: TunnelWay | null;
  readonly arp: ArpWay;
  /** Interfaces where clients and directors are; none = all. */
  readonly interfaces: readonly string[];
}

/** Reads a virtual address, with or without its full prefix length. */
export function parseVirtualAddress(text: string): Result<IpText, string> {
  const cidr = parseCidr(text);
  if (!cidr.ok) return err(`${text} is not an address: ${cidr.error}`);
  const { address, prefixLength } = cidr.value;
  const bits = bitsOf(familyOf(address));
  if (prefixLength !== bits) {
    return err(
      `${text}: on a real server a virtual address stands alone, as ${address}/${bits}; with a shorter prefix the whole network would be taken for this machine`,
    );
  }
  if (!isUnicast(address) || address.startsWith("127.") || address === "::1" || /^fe[89ab]/.test(address)) {
    return err(`${text} cannot be a virtual address: it means this machine, or many`);
  }
  return ok(address);
}

/** What is wanted after an `up`: a name's addresses are replaced, a bare address is added or changed. */
export function withUp(before: readonly Wanted[], up: readonly Wanted[]): Wanted[] {
  const names = new Set(up.map(({ name }) => name));
  const addresses = new Set(up.map(({ address }) => address));
  const stays = ({ name, address }: Wanted) =>
    name === null ? !(names.has(null) && addresses.has(address)) : !names.has(name);
  return [...before.filter(stays), ...up];
}

/** Which addresses a `down` or a `check` is about. */
export interface Selection {
  /** A name's addresses; null = not by name. */
  readonly name: string | null;
  /** These; none = all. */
  readonly addresses: readonly IpText[];
}

export function selects({ name, addresses }: Selection, wanted: Wanted): boolean {
  if (name !== null) return wanted.name === name;
  return addresses.length === 0 || addresses.includes(wanted.address);
}
