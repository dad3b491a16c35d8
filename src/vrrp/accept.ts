import type { IpText } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { TransportConfig } from "../config/model.ts";
import {
  type DecodedAdvert,
  type DecodeError,
  decodeAdvert,
  HEADER_BYTES,
  messageBytes,
  VRRP_GROUP_IPV4,
  VRRP_TTL,
  VRRP_VERSION,
} from "./advert.ts";
import { type AuthReject, TRAILER_BYTES } from "./hmac.ts";

/** Why a packet never reaches a state machine; stable, used as counter names in status. */
export type RejectReason =
  | DecodeError
  | AuthReject
  | "unknown_vrid"
  | "ttl"
  | "cast_mismatch"
  | "unknown_peer"
  | "self";

export const REJECT_REASONS: Readonly<Record<RejectReason, string>> = {
  unknown_vrid: "no instance on this interface has that VRID",
  packet_length: "the length does not fit the number of addresses (an authentication trailer also shows like this)",
  ttl: "the TTL is lower than the transport allows, so a router forwarded it or it was forged",
  version: "the version is not 3",
  auth_missing: "it is not signed",
  auth_malformed: "its authentication trailer is of an unknown kind",
  auth_stale: "it was signed at a time outside the window: the clocks differ, or it was recorded and repeated",
  auth_unknown_key: "it is signed with a key id that is not configured here",
  auth_bad_hmac: "its signature is wrong: the keys differ, or it was forged",
  auth_replay: "it is no later than one that was heard before: a repeat",
  type: "the type is not 1 (advertisement)",
  vrid: "the VRID is 0",
  checksum: "the checksum is wrong in both forms",
  interval_zero: "the advertised interval is 0",
  address_count: "it lists no address",
  cast_mismatch: "it was sent to the group and the transport is unicast, or the other way round",
  unknown_peer: "its source is not in the list of peers",
  self: "its source is our own address: looped back, or another host uses our address",
};

export interface IncomingPacket {
  readonly message: Uint8Array;
  readonly source: IpText;
  readonly destination: IpText;
  /** TTL of the IP header; null = the transport does not tell it. */
  readonly ttl: number | null;
}

/** What an instance asks of the packets it hears. */
export interface AcceptRules {
  readonly transport: TransportConfig;
  /**
   * Judges the authentication trailer, or its absence; null = adverts carry none. Called at most once for a packet, and what
   * it remembers stays remembered when the packet is refused for another reason afterwards.
   */
  readonly authenticate: ((message: Uint8Array, trailer: Uint8Array | null) => AuthReject | null) | null;
}

const MULTICAST: AcceptRules = { transport: { type: "multicast" }, authenticate: null };

/** The VRID a message claims, before anything is checked: picks the instance. */
export function claimedVrid(message: Uint8Array): number | undefined {
  return message[1];
}

/**
 * Receive validation (RFC 9568 section 7.1 with the order that known daemons use), up to where the state machine begins.
 * @param ownAddress source of our own adverts on this interface
 */
export function acceptPacket(
  packet: IncomingPacket,
  ownAddress: IpText | null,
  { transport, authenticate }: AcceptRules = MULTICAST,
): Result<DecodedAdvert, RejectReason> {
  const { source, destination } = packet;
  const parts = split(packet.message, authenticate !== null);
  if (parts === null) return err("packet_length");
  const isPeer = transport.type === "multicast" || transport.peers.some(({ address }) => address === source);
  if (packet.ttl !== null && packet.ttl < lowestTtl(transport, source)) return err("ttl");
  if ((packet.message[0] ?? 0) >> 4 !== VRRP_VERSION) return err("version");
  // Before the digest: without a peer there is no place for what was heard of it.
  if (parts.trailer !== null && !isPeer) return err("unknown_peer");
  const refusal = authenticate?.(parts.message, parts.trailer) ?? null;
  if (refusal !== null) return err(refusal);
  const advert = decodeAdvert(parts.message, packet);
  if (!advert.ok) return advert;
  if ((destination === VRRP_GROUP_IPV4) !== (transport.type === "multicast")) return err("cast_mismatch");
  if (!isPeer) return err("unknown_peer");
  if (source === ownAddress) return err("self");
  return ok(advert.value);
}

/**
 * Tells message and trailer apart by length alone, as there is no sign of a trailer in the header. What is of another
 * version passes: its length is not ours to judge.
 * @returns null when the length fits neither
 */
function split(
  packet: Uint8Array,
  mayCarryTrailer: boolean,
): { readonly message: Uint8Array; readonly trailer: Uint8Array | null } | null {
  if (packet.length < HEADER_BYTES) return null;
  if ((packet[0] ?? 0) >> 4 !== VRRP_VERSION) return { message: packet, trailer: null };
  const length = messageBytes(packet[3] ?? 0);
  if (packet.length === length) return { message: packet, trailer: null };
  if (!mayCarryTrailer || packet.length !== length + TRAILER_BYTES) return null;
  return { message: packet.subarray(0, length), trailer: packet.subarray(length) };
}

/** Multicast never crosses a router; what a peer may lose on the way is configured; strangers are told apart later. */
function lowestTtl(transport: TransportConfig, source: IpText): number {
  if (transport.type === "multicast") return VRRP_TTL;
  if (transport.type === "udp") return 0;
  return transport.peers.find(({ address }) => address === source)?.minTtl ?? 0;
}
