import ipaddr from "ipaddr.js";
import { assert } from "./assert.ts";
import { err, ok, type Result } from "./result.ts";

/** 4 or 6, the way people say it. */
export type IpFamily = 4 | 6;

/**
 * An IP address as canonical text (`192.0.2.1`, RFC 5952 for IPv6). Text, because addresses cross process borders,
 * are compared for equality and are printed; `ipToBytes` gives the wire form.
 */
export type IpText = string;

/** An address with its prefix length, `192.0.2.10/24`. */
export interface Cidr {
  readonly address: IpText;
  readonly prefixLength: number;
}

export const IPV4_BITS = 32;
export const IPV6_BITS = 128;

const DOTTED_QUAD = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;

/** Reads an address. IPv4 must be four plain decimal numbers: 010.0.0.1 and 10.1 mean different things to different programs. */
export function parseIp(text: string): Result<IpText, string> {
  if (DOTTED_QUAD.test(text)) return ok(text);
  if (text.includes("%")) return err("an address with a zone (%interface) is not accepted here");
  if (text.includes(":") && ipaddr.IPv6.isValid(text)) return ok(ipaddr.IPv6.parse(text).toRFC5952String());
  return err("expected an IPv4 or IPv6 address");
}

/** @param ip canonical text from parseIp or ipFromBytes */
export function familyOf(ip: IpText): IpFamily {
  return ip.includes(":") ? 6 : 4;
}

export function bitsOf(family: IpFamily): number {
  return family === 4 ? IPV4_BITS : IPV6_BITS;
}

/** Wire form, network byte order: 4 or 16 bytes. */
export function ipToBytes(ip: IpText): Buffer {
  return Buffer.from(ipaddr.parse(ip).toByteArray());
}

/** @param bytes 4 or 16 bytes, network byte order */
export function ipFromBytes(bytes: Uint8Array): IpText {
  if (bytes.length === 4) return bytes.join(".");
  assert(bytes.length === 16, `an address has 4 or 16 bytes, not ${bytes.length}`);
  return new ipaddr.IPv6([...bytes]).toRFC5952String();
}

/** Unsigned comparison in network byte order, as VRRP breaks ties: negative, 0 or positive. */
export function compareIp(a: IpText, b: IpText): number {
  return Buffer.compare(ipToBytes(a), ipToBytes(b));
}

/** Reads `192.0.2.10/24`; a bare address gets the full length (/32, /128). */
export function parseCidr(text: string): Result<Cidr, string> {
  const [addressText = "", prefixText, ...rest] = text.split("/");
  const address = parseIp(addressText);
  if (!address.ok) return address;
  const bits = bitsOf(familyOf(address.value));
  if (prefixText === undefined) return ok({ address: address.value, prefixLength: bits });
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits || Number(prefixText) < 1) {
    return err(`the prefix length must be 1 to ${bits}`);
  }
  return ok({ address: address.value, prefixLength: Number(prefixText) });
}

export function formatCidr(cidr: Cidr): string {
  return `${cidr.address}/${cidr.prefixLength}`;
}

/** Whether `ip` lies in the network of `cidr`; never across families. */
export function isInNetwork(ip: IpText, cidr: Cidr): boolean {
  if (familyOf(ip) !== familyOf(cidr.address)) return false;
  return ipaddr.parse(ip).match(ipaddr.parse(cidr.address), cidr.prefixLength);
}

/** Addresses that only programs on the same machine reach. */
export function isLoopback(ip: IpText): boolean {
  if (familyOf(ip) === 4) return firstByte(ip) === 127;
  return ipaddr.parse(ip).range() === "loopback";
}

/** Addresses that no packet to one host can carry: unspecified, multicast, limited broadcast. */
export function isUnicast(ip: IpText): boolean {
  if (familyOf(ip) === 4) {
    const first = firstByte(ip);
    return first !== 0 && (first < 224 || first > 239) && ip !== "255.255.255.255";
  }
  const range = ipaddr.parse(ip).range();
  return range !== "multicast" && range !== "unspecified" && range !== "broadcast";
}

/** The library goes through its table of networks for each address: a tenth of what a file of ten thousand servers takes. */
function firstByte(ipv4: IpText): number {
  return Number.parseInt(ipv4, 10);
}
