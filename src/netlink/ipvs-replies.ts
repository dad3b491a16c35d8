import type { Protocol } from "../base/endpoint.ts";
import { type IpFamily, ipFromBytes } from "../base/ip.ts";
import type { Result } from "../base/result.ts";
import type { ObservedService } from "../ipvs/observed.ts";
import { PROTOCOL_NUMBERS } from "../ipvs/observed.ts";
import type { Totals } from "../ipvs/traffic.ts";
import type { AttributeReader } from "./attributes.ts";
import { openGeneric } from "./generic.ts";
import { type IpvsTimeouts, prefixMask } from "./ipvs.ts";
import * as n from "./ipvs-numbers.ts";
import { NO_TOTALS, readTotals } from "./ipvs-stats.ts";
import { decodeError, type NetlinkDecodeError } from "./message.ts";
import { AF_INET, AF_INET6 } from "./route.ts";

/** A service without its destinations, which are dumped separately, with what the kernel counts of it. */
export interface ServiceHeader extends Omit<ObservedService, "destinations"> {
  readonly totals: Totals;
}

/** What the kernel says about IPVS itself. */
export interface IpvsInfo {
  /** `1.2.1`. */
  readonly version: string;
  readonly connectionTableSize: number;
}

/**
 * Reads one reply to a service dump or get.
 * @returns null for a service whose identity a ServiceIdentity cannot express (a mark, SCTP): it belongs to others
 */
export function decodeService(message: Buffer, familyId: number): Result<ServiceHeader | null, NetlinkDecodeError> {
  const top = openGeneric(message, familyId, n.IPVS_CMD_NEW_SERVICE);
  if (!top.ok) return top;
  let service: Result<ServiceHeader | null, NetlinkDecodeError> = decodeError("missing-attribute", "no service");
  while (top.value.next()) {
    if (top.value.type === n.IPVS_CMD_ATTR_SERVICE) service = decodeServiceNest(top.value.nested());
  }
  return top.value.error === undefined ? service : { ok: false, error: top.value.error };
}

function decodeServiceNest(reader: AttributeReader): Result<ServiceHeader | null, NetlinkDecodeError> {
  let family = 0;
  let protocolNumber = 0;
  let addressBytes: Buffer | undefined;
  let port: number | undefined;
  let isMark = false;
  let scheduler = "";
  let flags = 0;
  let timeoutS = 0;
  let netmask: Buffer | undefined;
  let engine = "";
  let totals = NO_TOTALS;
  while (reader.next()) {
    switch (reader.type) {
      case n.IPVS_SVC_ATTR_AF:
        family = reader.u16();
        break;
      case n.IPVS_SVC_ATTR_PROTOCOL:
        protocolNumber = reader.u16();
        break;
      case n.IPVS_SVC_ATTR_ADDR:
        addressBytes = reader.data();
        break;
      case n.IPVS_SVC_ATTR_PORT:
        port = reader.u16be();
        break;
      case n.IPVS_SVC_ATTR_FWMARK:
        isMark = true;
        break;
      case n.IPVS_SVC_ATTR_SCHED_NAME:
        scheduler = reader.string();
        break;
      case n.IPVS_SVC_ATTR_FLAGS:
        flags = reader.u32();
        break;
      case n.IPVS_SVC_ATTR_TIMEOUT:
        timeoutS = reader.u32();
        break;
      case n.IPVS_SVC_ATTR_NETMASK:
        netmask = reader.data();
        break;
      case n.IPVS_SVC_ATTR_PE_NAME:
        engine = reader.string();
        break;
      case n.IPVS_SVC_ATTR_STATS64:
        totals = readTotals(reader);
        break;
    }
  }
  if (reader.error !== undefined) return { ok: false, error: reader.error };
  const protocol = protocolOf(protocolNumber);
  const ipFamily = ipFamilyOf(family);
  if (isMark || protocol === undefined || ipFamily === undefined) return { ok: true, value: null };
  const address = addressBytes === undefined ? undefined : addressText(ipFamily, addressBytes, 0, addressBytes.length);
  if (address === undefined || port === undefined) return decodeError("missing-attribute", "no address or port");
  if (netmask === undefined || netmask.length < 4) return decodeError("missing-attribute", "no netmask");
  const extras: string[] = [];
  const isPersistent = (flags & n.IP_VS_SVC_F_PERSISTENT) !== 0;
  const prefixLength = ipFamily === 6 ? netmask.readUInt32LE(0) : maskLength(netmask.readUInt32BE(0));
  if (isPersistent && prefixLength === undefined)
    extras.push(`persistence netmask ${ipFromBytes(netmask.subarray(0, 4))}`);
  if ((flags & n.IP_VS_SVC_F_ONEPACKET) !== 0) extras.push("one-packet scheduling");
  const unknown = flags & ~KNOWN_FLAGS;
  if (unknown !== 0) extras.push(`flags 0x${(unknown >>> 0).toString(16)}`);
  if (engine !== "") extras.push(`persistence engine ${engine}`);
  return {
    ok: true,
    value: {
      family: ipFamily,
      protocol,
      address,
      port,
      scheduler,
      flags: { fallback: (flags & n.IP_VS_SVC_F_SCHED1) !== 0, port: (flags & n.IP_VS_SVC_F_SCHED2) !== 0 },
      // Timeout and mask of a service that is not persistent mean nothing; whatever stands there is no difference.
      persistence: isPersistent ? { timeoutS, prefixLength: prefixLength ?? 0 } : null,
      extras,
      totals,
    },
  };
}

const KNOWN_FLAGS =
  n.IP_VS_SVC_F_PERSISTENT |
  n.IP_VS_SVC_F_HASHED |
  n.IP_VS_SVC_F_ONEPACKET |
  n.IP_VS_SVC_F_SCHED1 |
  n.IP_VS_SVC_F_SCHED2;

/** Reads the answer to a request for info. */
export function decodeInfo(message: Buffer, familyId: number): Result<IpvsInfo, NetlinkDecodeError> {
  const reader = openGeneric(message, familyId, n.IPVS_CMD_SET_INFO);
  if (!reader.ok) return reader;
  let version = 0;
  let connectionTableSize = 0;
  while (reader.value.next()) {
    if (reader.value.type === n.IPVS_INFO_ATTR_VERSION) version = reader.value.u32();
    else if (reader.value.type === n.IPVS_INFO_ATTR_CONN_TAB_SIZE) connectionTableSize = reader.value.u32();
  }
  const text = `${(version >>> 16) & 0xff}.${(version >>> 8) & 0xff}.${version & 0xff}`;
  return reader.value.outcome({ version: text, connectionTableSize });
}

/** Reads the answer to a request for timeouts. */
export function decodeTimeouts(message: Buffer, familyId: number): Result<IpvsTimeouts, NetlinkDecodeError> {
  const reader = openGeneric(message, familyId, n.IPVS_CMD_SET_CONFIG);
  if (!reader.ok) return reader;
  let tcpS = 0;
  let tcpFinS = 0;
  let udpS = 0;
  while (reader.value.next()) {
    if (reader.value.type === n.IPVS_CMD_ATTR_TIMEOUT_TCP) tcpS = reader.value.u32();
    else if (reader.value.type === n.IPVS_CMD_ATTR_TIMEOUT_TCP_FIN) tcpFinS = reader.value.u32();
    else if (reader.value.type === n.IPVS_CMD_ATTR_TIMEOUT_UDP) udpS = reader.value.u32();
  }
  return reader.value.outcome({ tcpS, tcpFinS, udpS });
}

function protocolOf(number: number): Protocol | undefined {
  return number === PROTOCOL_NUMBERS.tcp ? "tcp" : number === PROTOCOL_NUMBERS.udp ? "udp" : undefined;
}

export function ipFamilyOf(number: number): IpFamily | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined;
}

/** @returns undefined if the bytes are too few */
export function addressText(family: IpFamily, bytes: Buffer, at: number, length: number): string | undefined {
  if (length < (family === 4 ? 4 : 16)) return undefined;
  if (family === 6) return ipFromBytes(bytes.subarray(at, at + 16));
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Prefix length of a netmask; undefined if it has holes. */
function maskLength(mask: number): number | undefined {
  const length = Math.clz32(~mask);
  return mask >>> 0 === prefixMask(length) ? length : undefined;
}
