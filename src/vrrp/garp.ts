import { assert } from "../base/assert.ts";
import { familyOf, type IpText, ipToBytes } from "../base/ip.ts";

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
const BROADCAST = Buffer.alloc(6, 0xff);

/**
 * A gratuitous ARP: the whole Ethernet frame that tells the segment where an address lives now. The request form, because
 * Linux neighbours ignore the reply form within a second of their last update; target hardware address all ones, as
 * keepalived sends it. 42 bytes; drivers pad to 60.
 *
 *    0  destination ff:ff:ff:ff:ff:ff, source MAC, type 0806
 *   14  hardware 1, protocol 0800, lengths 6 and 4, operation 1 (request)
 *   22  sender MAC, sender IP
 *   32  target MAC ff:ff:ff:ff:ff:ff, target IP = sender IP
 *
 * @param mac     where frames for the address shall go, `00:00:5e:00:01:33`
 * @param address IPv4
 * @param from    the Ethernet source, where another speaks for the holder; else the holder's
 * @see RFC 5227 section 3 on why requests are used, RFC 826
 */
export function encodeGratuitousArp(mac: string, address: IpText, from = mac): Buffer {
  assert(MAC.test(mac) && MAC.test(from), `not a MAC address: ${mac} or ${from}`);
  assert(familyOf(address) === 4, `ARP announces IPv4 addresses, not ${address}`);
  const [hardware, source] = [mac, from].map((text) => Buffer.from(text.replaceAll(":", ""), "hex")) as [
    Buffer,
    Buffer,
  ];
  const ip = ipToBytes(address);
  const fixed = Buffer.from("08060001080006040001", "hex");
  return Buffer.concat([BROADCAST, source, fixed, hardware, ip, BROADCAST, ip]);
}

/**
 * An ARP probe: asks who has an address without saying an own one, so that no neighbour learns anything from it. 42 bytes.
 * @param mac of the interface that asks
 * @see RFC 5227 section 2.1.1
 */
export function encodeArpProbe(mac: string, address: IpText): Buffer {
  assert(MAC.test(mac), `not a MAC address: ${mac}`);
  assert(familyOf(address) === 4, `ARP asks for IPv4 addresses, not ${address}`);
  const hardware = Buffer.from(mac.replaceAll(":", ""), "hex");
  const fixed = Buffer.from("08060001080006040001", "hex");
  return Buffer.concat([BROADCAST, hardware, fixed, hardware, Buffer.alloc(4), Buffer.alloc(6), ipToBytes(address)]);
}
