import { type Cidr, familyOf, type IpFamily, type IpText, ipFromBytes, ipToBytes } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import { AttributeReader, AttributeWriter } from "./attributes.ts";
import {
  decodeError,
  decodeHeader,
  encodeMessage,
  NETLINK_HEADER_BYTES,
  type NetlinkDecodeError,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from "./message.ts";

/** Address families as the kernel numbers them. */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;

/** RT_SCOPE_*: where an address means something; larger numbers are narrower. */
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;

/** Multicast groups of NETLINK_ROUTE by number, for NETLINK_ADD_MEMBERSHIP; bind(2) takes `1 << (n - 1)`. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV6_IFADDR = 9;

export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;

export const IFA_F_SECONDARY = 0x01;
export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_NOPREFIXROUTE = 0x200;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;

const NDA_DST = 1;
const NTF_USE = 0x01;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_CARRIER = 33;

/** ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, interface index u32. */
const IFADDRMSG_BYTES = 8;
/** ifinfomsg: family u8, pad u8, type u16, index i32, flags u32, change mask u32. */
const IFINFOMSG_BYTES = 16;
/** ndmsg: family u8, pad u8, pad u16, interface index i32, state u16, flags u8, type u8. */
const NDMSG_PAD_BYTES = 3;
const FOREVER_S = 0xffffffff;

/** IF_OPER_* by number (RFC 2863). */
const OPER_STATES = ["unknown", "not-present", "down", "lower-layer-down", "testing", "dormant", "up"] as const;
export type OperState = (typeof OPER_STATES)[number];

/** An address to put on an interface. */
export interface AddressRequest {
  readonly interfaceIndex: number;
  readonly address: Cidr;
  /** IFA_F_NOPREFIXROUTE: no connected route for the prefix. Pointless and harmless with a full prefix. */
  readonly noPrefixRoute: boolean;
  /**
   * Preferred lifetime 0, so that it is never chosen as a source: IPv6 only, IPv4 has no such choice and the field is
   * ignored there.
   */
  readonly deprecated: boolean;
  /** IFA_PROTO, 1–255: who put it there; 0 = do not say. Kernels before 5.18 ignore it. */
  readonly protocol: number;
  /** RT_SCOPE_*; universe unless said. */
  readonly scope?: number;
}

/** An address as the kernel reports it. */
export interface InterfaceAddress {
  readonly interfaceIndex: number;
  readonly address: Cidr;
  /** IFA_F_* bits. */
  readonly flags: number;
  readonly scope: number;
  /** IFA_PROTO; 0 = not said. */
  readonly protocol: number;
  readonly label: string | null;
}

/** An interface as the kernel reports it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF_* bits. */
  readonly flags: number;
  /** `00:00:5e:00:01:33`; null for devices without one. */
  readonly mac: string | null;
  readonly mtu: number;
  readonly operState: OperState;
  /** null = not said. */
  readonly hasCarrier: boolean | null;
  /** Index of the bridge or bond it belongs to; 0 = none. */
  readonly masterIndex: number;
  /** Index of the device below (VLAN, macvlan) or of the other end (veth); 0 = none. */
  readonly lowerIndex: number;
}

/** A reply to a dump or a multicast event; `other` is whatever else travels on the socket. */
export type RouteMessage =
  | { readonly type: "address"; readonly present: boolean; readonly address: InterfaceAddress }
  | { readonly type: "link"; readonly present: boolean; readonly link: Link }
  | { readonly type: "other"; readonly messageType: number };

/**
 * RTM_NEWADDR with CREATE and REPLACE: adding what is there already succeeds and refreshes it.
 * IPv6 addresses get NODAD: a virtual address must work at once, and a split brain must not leave it failed.
 */
export function encodeAddAddress(request: AddressRequest): Buffer {
  const family = familyOf(request.address.address);
  const isDeprecated = request.deprecated && family === 6;
  const flags = (family === 6 ? IFA_F_NODAD : 0) | (request.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0);
  return encodeMessage(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, (writer) => {
    writer
      .u8(addressFamily(family))
      .u8(request.address.prefixLength)
      .u8(flags & 0xff)
      .u8(request.scope ?? RT_SCOPE_UNIVERSE);
    writer.u32le(request.interfaceIndex);
    const attributes = new AttributeWriter(writer);
    writeAddress(attributes, request.address.address);
    // The header has eight bits for them; the attribute, when present, overrides it.
    if (flags > 0xff) attributes.u32(IFA_FLAGS, flags);
    if (isDeprecated) attributes.bytes(IFA_CACHEINFO, cacheInfo(0, FOREVER_S));
    if (request.protocol !== 0) attributes.u8(IFA_PROTO, request.protocol);
  });
}

/** RTM_DELADDR. IFA_ADDRESS goes with it: with IFA_LOCAL alone the kernel would ignore the prefix length. */
export function encodeDeleteAddress(interfaceIndex: number, address: Cidr): Buffer {
  return encodeMessage(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, (writer) => {
    writer
      .u8(addressFamily(familyOf(address.address)))
      .u8(address.prefixLength)
      .u8(0)
      .u8(0)
      .u32le(interfaceIndex);
    writeAddress(new AttributeWriter(writer), address.address);
  });
}

/** RTM_GETADDR dump of one family's addresses, or of all. */
export function encodeDumpAddresses(family?: IpFamily): Buffer {
  return encodeMessage(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, (writer) => {
    writer.u8(family === undefined ? AF_UNSPEC : addressFamily(family)).zeros(IFADDRMSG_BYTES - 1);
  });
}

/** RTM_GETLINK dump of all interfaces. */
export function encodeDumpLinks(): Buffer {
  return encodeMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, (writer) => {
    writer.zeros(IFINFOMSG_BYTES);
  });
}

/** RTM_GETLINK of one interface, by name; answered by one RTM_NEWLINK, or ENODEV. */
export function encodeGetLink(name: string): Buffer {
  return encodeMessage(RTM_GETLINK, NLM_F_REQUEST, (writer) => {
    writer.zeros(IFINFOMSG_BYTES);
    new AttributeWriter(writer).string(IFLA_IFNAME, name);
  });
}

/** RTM_DELNEIGH: forgets which MAC address a neighbour has, so that the kernel asks anew; ENOENT if it did not know. */
export function encodeDeleteNeighbour(interfaceIndex: number, address: IpText): Buffer {
  return encodeNeighbour(RTM_DELNEIGH, NLM_F_REQUEST | NLM_F_ACK, interfaceIndex, address, 0);
}

/**
 * RTM_NEWNEIGH with NTF_USE: the kernel asks for a neighbour as if a packet waited for it; where it does not know it yet,
 * before the request returns.
 */
export function encodeAskForNeighbour(interfaceIndex: number, address: IpText): Buffer {
  return encodeNeighbour(
    RTM_NEWNEIGH,
    NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    interfaceIndex,
    address,
    NTF_USE,
  );
}

/** @param ntf NTF_* bits */
function encodeNeighbour(type: number, flags: number, interfaceIndex: number, address: IpText, ntf: number): Buffer {
  return encodeMessage(type, flags, (writer) => {
    writer
      .u8(addressFamily(familyOf(address)))
      .zeros(NDMSG_PAD_BYTES)
      .u32le(interfaceIndex);
    writer.u16le(0).u8(ntf).u8(0);
    new AttributeWriter(writer).bytes(NDA_DST, ipToBytes(address));
  });
}

/** Decodes one message from a dump or an event socket. Any bytes give a message or an error. */
export function decodeRouteMessage(message: Buffer): Result<RouteMessage, NetlinkDecodeError> {
  const header = decodeHeader(message);
  if (!header.ok) return header;
  const { type, length } = header.value;
  if (type === RTM_NEWADDR || type === RTM_DELADDR) {
    const address = decodeAddress(message.subarray(0, length));
    return address.ok ? ok({ type: "address", present: type === RTM_NEWADDR, address: address.value }) : address;
  }
  if (type === RTM_NEWLINK || type === RTM_DELLINK) {
    // Bridges report their ports in the same messages under a family of their own; there, DELLINK means that a port left
    // the bridge, not that the interface is gone.
    if (length > NETLINK_HEADER_BYTES && message.readUInt8(NETLINK_HEADER_BYTES) !== AF_UNSPEC) {
      return ok({ type: "other", messageType: type });
    }
    const link = decodeLink(message.subarray(0, length));
    return link.ok ? ok({ type: "link", present: type === RTM_NEWLINK, link: link.value }) : link;
  }
  return ok({ type: "other", messageType: type });
}

/** Administratively up and with carrier: what VRRP may use. An unknown operstate counts as up, as the kernel's flag does. */
export function isLinkUsable(link: Link): boolean {
  return (link.flags & (IFF_UP | IFF_RUNNING)) === (IFF_UP | IFF_RUNNING);
}

function addressFamily(family: IpFamily): number {
  return family === 4 ? AF_INET : AF_INET6;
}

function writeAddress(attributes: AttributeWriter, address: IpText): void {
  const bytes = ipToBytes(address);
  attributes.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes);
}

/** ifa_cacheinfo: preferred, valid, created, updated; the last two are the kernel's. */
function cacheInfo(preferredS: number, validS: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(preferredS, 0);
  bytes.writeUInt32LE(validS, 4);
  return bytes;
}

function decodeAddress(message: Buffer): Result<InterfaceAddress, NetlinkDecodeError> {
  if (message.length < NETLINK_HEADER_BYTES + IFADDRMSG_BYTES) {
    return decodeError("short-message", "an address message without its header");
  }
  const addressBytes = message.readUInt8(NETLINK_HEADER_BYTES) === AF_INET ? 4 : 16;
  const prefixLength = message.readUInt8(NETLINK_HEADER_BYTES + 1);
  let flags = message.readUInt8(NETLINK_HEADER_BYTES + 2);
  let local: Buffer | undefined;
  let peer: Buffer | undefined;
  let label: string | null = null;
  let protocol = 0;
  const reader = new AttributeReader(message, NETLINK_HEADER_BYTES + IFADDRMSG_BYTES);
  while (reader.next()) {
    if (reader.type === IFA_LOCAL) local = reader.data();
    else if (reader.type === IFA_ADDRESS) peer = reader.data();
    else if (reader.type === IFA_LABEL) label = reader.string();
    else if (reader.type === IFA_FLAGS) flags = reader.u32();
    else if (reader.type === IFA_PROTO) protocol = reader.u8();
  }
  // IFA_LOCAL is the interface's own; IFA_ADDRESS is the other end of a point-to-point link, or the same, or alone (IPv6).
  const own = local ?? peer;
  if (reader.error === undefined && own === undefined) return decodeError("missing-attribute", "no address");
  if (reader.error === undefined && own?.length !== addressBytes) {
    return decodeError("bad-value", `an address of ${own?.length} bytes`);
  }
  return reader.outcome({
    interfaceIndex: message.readUInt32LE(NETLINK_HEADER_BYTES + 4),
    address: { address: own?.length === addressBytes ? ipFromBytes(own) : "", prefixLength },
    flags,
    scope: message.readUInt8(NETLINK_HEADER_BYTES + 3),
    protocol,
    label,
  });
}

function decodeLink(message: Buffer): Result<Link, NetlinkDecodeError> {
  if (message.length < NETLINK_HEADER_BYTES + IFINFOMSG_BYTES) {
    return decodeError("short-message", "a link message without its header");
  }
  let name = "";
  let mac: string | null = null;
  let mtu = 0;
  let operState: OperState = "unknown";
  let hasCarrier: boolean | null = null;
  let masterIndex = 0;
  let lowerIndex = 0;
  const reader = new AttributeReader(message, NETLINK_HEADER_BYTES + IFINFOMSG_BYTES);
  while (reader.next()) {
    if (reader.type === IFLA_IFNAME) name = reader.string();
    else if (reader.type === IFLA_ADDRESS) mac = macText(reader.data());
    else if (reader.type === IFLA_MTU) mtu = reader.u32();
    else if (reader.type === IFLA_LINK) lowerIndex = reader.u32();
    else if (reader.type === IFLA_MASTER) masterIndex = reader.u32();
    else if (reader.type === IFLA_OPERSTATE) operState = OPER_STATES[reader.u8()] ?? "unknown";
    else if (reader.type === IFLA_CARRIER) hasCarrier = reader.u8() !== 0;
  }
  if (reader.error === undefined && name === "") return decodeError("missing-attribute", "a link without a name");
  const index = message.readInt32LE(NETLINK_HEADER_BYTES + 4);
  const flags = message.readUInt32LE(NETLINK_HEADER_BYTES + 8);
  return reader.outcome({ index, name, flags, mac, mtu, operState, hasCarrier, masterIndex, lowerIndex });
}

function macText(bytes: Buffer): string | null {
  return bytes.length === 0 ? null : bytes.toString("hex").replace(/(..)(?=.)/g, "$1:");
}
