import { Buffer } from "node:buffer";
import { assert } from "../base/assert.ts";
import { familyOf, type IpText, ipToBytes } from "../base/ip.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX } from "./constants.ts";

/** struct sockaddr_in (16 bytes) or sockaddr_in6 (28): family host order, port and address network order. */
export function sockaddrIp(address: IpText, port: number): Buffer {
  const isV4 = familyOf(address) === 4;
  const bytes = Buffer.alloc(isV4 ? 16 : 28);
  bytes.writeUInt16LE(isV4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), isV4 ? 4 : 8);
  return bytes;
}

/** struct sockaddr_nl: family u16, pad u16, port id u32, groups u32. */
export function sockaddrNetlink(portId = 0, groups = 0): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(AF_NETLINK, 0);
  bytes.writeUInt32LE(portId, 4);
  bytes.writeUInt32LE(groups, 8);
  return bytes;
}

/** struct sockaddr_ll: family u16, protocol u16 BE, ifindex i32, hatype u16, pkttype u8, halen u8, addr[8]. */
export function sockaddrLink(ifindex: number, protocol: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(ifindex, 4);
  return bytes;
}

/** sun_path holds 108 bytes, the last one a NUL unless the name is abstract. */
export const MAX_UNIX_PATH_BYTES = 107;

/** struct sockaddr_un: family u16, path. A leading `@` stands for the NUL of an abstract name, as systemd writes it. */
export function sockaddrUnix(path: string): Buffer {
  const name = Buffer.from(path);
  assert(name.length > 0 && name.length <= MAX_UNIX_PATH_BYTES, `unix path of ${name.length} bytes`);
  const isAbstract = name[0] === "@".charCodeAt(0);
  if (isAbstract) name[0] = 0;
  const bytes = Buffer.alloc(2 + name.length + (isAbstract ? 0 : 1));
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.set(name, 2);
  return bytes;
}

/** `02:00:00:00:00:0b` */
export function macText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/(..)(?!$)/g, "$1:");
}
