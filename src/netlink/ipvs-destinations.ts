import type { IpFamily, IpText } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { ForwardingMethod, Tunnel } from "../ipvs/model.ts";
import type { ObservedDestination } from "../ipvs/observed.ts";
import type { Totals } from "../ipvs/traffic.ts";
import type { AttributeReader } from "./attributes.ts";
import { openGeneric } from "./generic.ts";
import * as n from "./ipvs-numbers.ts";
import { addressText, ipFamilyOf } from "./ipvs-replies.ts";
import { NO_TOTALS, readTotals } from "./ipvs-stats.ts";
import { decodeError, type NetlinkDecodeError } from "./message.ts";

const NO_DESTINATION: NetlinkDecodeError = { code: "missing-attribute", detail: "no destination" };

/**
 * Reads one reply to a destination dump. This is the hot path of reading a table, so it makes one object per reply.
 * @param serviceFamily family of the service that was asked about; kernels before 3.18 do not name the destination's own
 */
export function decodeDestination(
  message: Buffer,
  familyId: number,
  serviceFamily: IpFamily,
): Result<ObservedDestination, NetlinkDecodeError> {
  const top = openGeneric(message, familyId, n.IPVS_CMD_NEW_DEST);
  if (!top.ok) return top;
  let destination: Result<ObservedDestination, NetlinkDecodeError> = { ok: false, error: NO_DESTINATION };
  while (top.value.next()) {
    if (top.value.type === n.IPVS_CMD_ATTR_DEST) {
      destination = decodeDestinationNest(message, top.value.nested(), serviceFamily);
    }
  }
  return top.value.error === undefined ? destination : { ok: false, error: top.value.error };
}

function decodeDestinationNest(
  message: Buffer,
  reader: AttributeReader,
  serviceFamily: IpFamily,
): Result<ObservedDestination, NetlinkDecodeError> {
  let addressAt = 0;
  let addressBytes = 0;
  let port: number | undefined;
  let methodNumber = -1;
  let weight = 0;
  let upper = 0;
  let lower = 0;
  let family = 0;
  let tunnelType = 0;
  let tunnelPort = 0;
  let tunnelFlags = 0;
  let activeConnections = 0;
  let inactiveConnections = 0;
  let persistentConnections = 0;
  while (reader.next()) {
    switch (reader.type) {
      case n.IPVS_DEST_ATTR_ADDR:
        addressAt = reader.start;
        addressBytes = reader.length;
        break;
      case n.IPVS_DEST_ATTR_PORT:
        port = reader.u16be();
        break;
      case n.IPVS_DEST_ATTR_FWD_METHOD:
        methodNumber = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_WEIGHT:
        weight = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_U_THRESH:
        upper = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_L_THRESH:
        lower = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_ACTIVE_CONNS:
        activeConnections = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_INACT_CONNS:
        inactiveConnections = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_PERSIST_CONNS:
        persistentConnections = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_ADDR_FAMILY:
        family = reader.u16();
        break;
      case n.IPVS_DEST_ATTR_TUN_TYPE:
        tunnelType = reader.u8();
        break;
      case n.IPVS_DEST_ATTR_TUN_PORT:
        tunnelPort = reader.u16be();
        break;
      case n.IPVS_DEST_ATTR_TUN_FLAGS:
        tunnelFlags = reader.u16();
        break;
    }
  }
  if (reader.error !== undefined) return { ok: false, error: reader.error };
  const address = destinationAddress(message, addressAt, addressBytes, family, serviceFamily);
  if (address === undefined || port === undefined || methodNumber < 0) {
    return decodeError("missing-attribute", "no address, port or method");
  }
  const method = METHODS[methodNumber] ?? null;
  const counters = { activeConnections, inactiveConnections, persistentConnections };
  const isPlain = method !== null && (upper | lower | tunnelType | tunnelPort | tunnelFlags) === 0;
  if (isPlain) return { ok: true, value: { address, port, method, weight, counters } };
  const tunnel = method === "tun" ? tunnelOf(tunnelType, tunnelPort, tunnelFlags) : undefined;
  const extras: string[] = [];
  if (method === null) extras.push(`forwarding method ${methodNumber}`);
  if ((upper | lower) !== 0) extras.push(`thresholds ${upper}/${lower}`);
  if (tunnel === undefined && (tunnelType | tunnelPort | tunnelFlags) !== 0) {
    extras.push(`tunnel ${TUNNELS[tunnelType] ?? tunnelType} port ${tunnelPort} flags ${tunnelFlags}`);
  }
  const described = { ...(tunnel === undefined ? {} : { tunnel }), ...(extras.length === 0 ? {} : { extras }) };
  return { ok: true, value: { address, port, method, weight, ...described, counters } };
}

/** A tunnel that holdfast makes: without checksums, and with a port only where there is one. */
function tunnelOf(type: number, port: number, flags: number): Tunnel | undefined {
  if (flags !== 0) return undefined;
  if (type === n.IP_VS_CONN_F_TUNNEL_TYPE_GUE) return { type: "gue", port };
  return type === n.IP_VS_CONN_F_TUNNEL_TYPE_GRE && port === 0 ? { type: "gre" } : undefined;
}

const TUNNELS: readonly string[] = ["ipip", "gue", "gre"];

const METHODS: readonly (ForwardingMethod | undefined)[] = (() => {
  const methods: (ForwardingMethod | undefined)[] = [];
  methods[n.IP_VS_CONN_F_MASQ] = "nat";
  methods[n.IP_VS_CONN_F_TUNNEL] = "tun";
  methods[n.IP_VS_CONN_F_DROUTE] = "dr";
  return methods;
})();

/** A destination with what the kernel counts of it. */
export interface DestinationTraffic {
  readonly address: IpText;
  readonly port: number;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly totals: Totals;
}

/**
 * Reads one reply to a destination dump, for what it counts and for nothing else: tables are compared more often than they
 * are counted, and `decodeDestination` must not pay for it.
 * @param serviceFamily family of the service that was asked about, for kernels that do not name the destination's own
 */
export function decodeDestinationTraffic(
  message: Buffer,
  familyId: number,
  serviceFamily: IpFamily,
): Result<DestinationTraffic, NetlinkDecodeError> {
  const top = openGeneric(message, familyId, n.IPVS_CMD_NEW_DEST);
  if (!top.ok) return top;
  while (top.value.next()) {
    if (top.value.type === n.IPVS_CMD_ATTR_DEST) return decodeTrafficNest(message, top.value.nested(), serviceFamily);
  }
  return { ok: false, error: top.value.error ?? NO_DESTINATION };
}

function decodeTrafficNest(
  message: Buffer,
  reader: AttributeReader,
  serviceFamily: IpFamily,
): Result<DestinationTraffic, NetlinkDecodeError> {
  let addressAt = 0;
  let addressBytes = 0;
  let port: number | undefined;
  let family = 0;
  let activeConnections = 0;
  let inactiveConnections = 0;
  let totals = NO_TOTALS;
  while (reader.next()) {
    switch (reader.type) {
      case n.IPVS_DEST_ATTR_ADDR:
        addressAt = reader.start;
        addressBytes = reader.length;
        break;
      case n.IPVS_DEST_ATTR_PORT:
        port = reader.u16be();
        break;
      case n.IPVS_DEST_ATTR_ACTIVE_CONNS:
        activeConnections = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_INACT_CONNS:
        inactiveConnections = reader.u32();
        break;
      case n.IPVS_DEST_ATTR_ADDR_FAMILY:
        family = reader.u16();
        break;
      case n.IPVS_DEST_ATTR_STATS64:
        totals = readTotals(reader);
        break;
    }
  }
  if (reader.error !== undefined) return { ok: false, error: reader.error };
  const address = destinationAddress(message, addressAt, addressBytes, family, serviceFamily);
  if (address === undefined || port === undefined) return decodeError("missing-attribute", "no address or port");
  return ok({ address, port, activeConnections, inactiveConnections, totals });
}

/** @param family of the destination as the kernel names it; 0 = it does not, as kernels before 3.18 */
function destinationAddress(
  message: Buffer,
  at: number,
  length: number,
  family: number,
  serviceFamily: IpFamily,
): IpText | undefined {
  const ipFamily = family === 0 ? serviceFamily : ipFamilyOf(family);
  return ipFamily === undefined ? undefined : addressText(ipFamily, message, at, length);
}
