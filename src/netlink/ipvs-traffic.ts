import type { IpFamily, IpText } from "../base/ip.ts";
import { ok, type Result } from "../base/result.ts";
import type { Totals } from "../ipvs/traffic.ts";
import type { AttributeReader } from "./attributes.ts";
import { openGeneric } from "./generic.ts";
import * as n from "./ipvs-numbers.ts";
import { addressText, ipFamilyOf } from "./ipvs-replies.ts";
import { NO_TOTALS, readTotals } from "./ipvs-stats.ts";
import { decodeError, type NetlinkDecodeError } from "./message.ts";

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
    if (top.value.type === n.IPVS_CMD_ATTR_DEST) return decodeNest(message, top.value.nested(), serviceFamily);
  }
  return { ok: false, error: top.value.error ?? NO_DESTINATION };
}

const NO_DESTINATION: NetlinkDecodeError = { code: "missing-attribute", detail: "no destination" };

function decodeNest(
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
  const ipFamily = family === 0 ? serviceFamily : ipFamilyOf(family);
  const address = ipFamily === undefined ? undefined : addressText(ipFamily, message, addressAt, addressBytes);
  if (address === undefined || port === undefined) return decodeError("missing-attribute", "no address or port");
  return ok({ address, port, activeConnections, inactiveConnections, totals });
}
