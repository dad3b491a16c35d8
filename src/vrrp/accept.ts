import type { IpText } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type DecodedAdvert, type DecodeError, decodeAdvert, VRRP_GROUP_IPV4, VRRP_TTL } from "./advert.ts";

/** Why a packet never reaches a state machine; stable, used as counter names in status. */
export type RejectReason = DecodeError | "unknown_vrid" | "ttl" | "cast_mismatch" | "self";

export const REJECT_REASONS: Readonly<Record<RejectReason, string>> = {
  unknown_vrid: "no instance on this interface has that VRID",
  packet_length: "the length does not fit the number of addresses (an authentication trailer also shows like this)",
  ttl: "the TTL is not 255, so a router forwarded it or it was forged",
  version: "the version is not 3",
  type: "the type is not 1 (advertisement)",
  vrid: "the VRID is 0",
  checksum: "the checksum is wrong in both forms",
  interval_zero: "the advertised interval is 0",
  address_count: "it lists no address",
  cast_mismatch: "it was not sent to the multicast group",
  self: "its source is our own address: looped back, or another host uses our address",
};

export interface IncomingPacket {
  readonly message: Uint8Array;
  readonly source: IpText;
  readonly destination: IpText;
  readonly ttl: number;
}

/** The VRID a message claims, before anything is checked: picks the instance. */
export function claimedVrid(message: Uint8Array): number | undefined {
  return message[1];
}

/**
 * Receive validation (RFC 9568 section 7.1 with the order that known daemons use), up to where the state machine begins.
 * @param ownAddress source of our own adverts on this interface
 */
export function acceptPacket(packet: IncomingPacket, ownAddress: IpText | null): Result<DecodedAdvert, RejectReason> {
  if (packet.ttl !== VRRP_TTL) return err("ttl");
  const advert = decodeAdvert(packet.message, packet);
  if (!advert.ok) return advert;
  if (packet.destination !== VRRP_GROUP_IPV4) return err("cast_mismatch");
  if (packet.source === ownAddress) return err("self");
  return ok(advert.value);
}
