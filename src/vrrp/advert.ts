import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { familyOf, type IpText, ipFromBytes, ipToBytes } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ChecksumForm } from "../config/model.ts";
import { internetChecksum } from "./checksum.ts";
import { ADVERT_INTERVAL_MAX_CS, ADVERT_INTERVAL_MIN_CS } from "./timing.ts";

/*
 * VRRP version 3 over IPv4 (RFC 9568 section 5.2):
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-------+-------+---------------+---------------+---------------+
 * |Ver = 3|Type= 1|     VRID      |   Priority    |IPvX Addr Count|
 * +-------+-------+---------------+---------------+---------------+
 * |0 0 0 0|  Max Advertise Int    |           Checksum            |
 * +-------+-----------------------+-------------------------------+
 * |                   IPv4 addresses, 4 bytes each                |
 * +---------------------------------------------------------------+
 */

export const VRRP_PROTOCOL = 112;
export const VRRP_GROUP_IPV4: IpText = "224.0.0.18";
/** Adverts never cross a router; a received one must still carry this. */
export const VRRP_TTL = 255;
export const VRRP_VERSION = 3;
export const VRRP_TYPE_ADVERTISEMENT = 1;
export const HEADER_BYTES = 8;
const IPV4_BYTES = 4;
const CHECKSUM_OFFSET = 6;
/** Bytes of a message that lists this many addresses, without a trailer. */
export function messageBytes(addressCount: number): number {
  return HEADER_BYTES + IPV4_BYTES * addressCount;
}
/** The count is one byte. */
export const MAX_ADDRESSES = 255;
/** Wire-only priority: "I am leaving". */
export const PRIORITY_RELEASE = 0;
/** Reserved for the router that owns the address. */
export const PRIORITY_OWNER = 255;

export interface Advert {
  /** 1–255. */
  readonly vrid: number;
  /** 0–255; 0 = the sender leaves, 255 = it owns the address. */
  readonly priority: number;
  /** Max Advertise Int, 1–4095 centiseconds. */
  readonly intervalCs: number;
  /** 1–255 IPv4 addresses; their order means nothing. */
  readonly addresses: readonly IpText[];
}

/** Why a message is no advert; stable, used as counter names. */
export type DecodeError =
  | "packet_length"
  | "version"
  | "type"
  | "vrid"
  | "checksum"
  | "interval_zero"
  | "address_count";

export interface DecodedAdvert extends Advert {
  readonly checksumForm: ChecksumForm;
}

/** Addresses of the IP header; the older reading of the checksum covers them. */
export interface PacketAddresses {
  readonly source: IpText;
  readonly destination: IpText;
}

/**
 * The 12 bytes that RFC 5798 as read by keepalived and FRR put before the message for the checksum: source, destination,
 * zero, protocol, length of the VRRP message without any trailer.
 */
function pseudoHeader(addresses: PacketAddresses, messageBytes: number): Buffer {
  return new ByteWriter(12)
    .bytes(ipToBytes(addresses.source))
    .bytes(ipToBytes(addresses.destination))
    .u8(0)
    .u8(VRRP_PROTOCOL)
    .u16be(messageBytes)
    .finish();
}

/**
 * The advert as bytes after the IP header.
 * @throws AssertionError when a field is out of range: callers hold validated values
 */
export function encodeAdvert(advert: Advert, form: ChecksumForm, addresses: PacketAddresses): Buffer {
  const { vrid, priority, intervalCs } = advert;
  assert(vrid >= 1 && vrid <= 255, `vrid out of range: ${vrid}`);
  assert(priority >= 0 && priority <= 255, `priority out of range: ${priority}`);
  assert(
    intervalCs >= ADVERT_INTERVAL_MIN_CS && intervalCs <= ADVERT_INTERVAL_MAX_CS,
    `interval out of range: ${intervalCs}`,
  );
  assert(advert.addresses.length >= 1 && advert.addresses.length <= MAX_ADDRESSES, "1 to 255 addresses");
  const writer = new ByteWriter(messageBytes(advert.addresses.length))
    .u8((VRRP_VERSION << 4) | VRRP_TYPE_ADVERTISEMENT)
    .u8(vrid)
    .u8(priority)
    .u8(advert.addresses.length)
    .u16be(intervalCs)
    .u16be(0);
  for (const address of advert.addresses) {
    assert(familyOf(address) === 4, `not an IPv4 address: ${address}`);
    writer.bytes(ipToBytes(address));
  }
  const message = writer.finish();
  const sum =
    form === "message-only"
      ? internetChecksum(message)
      : internetChecksum(pseudoHeader(addresses, message.length), message);
  writer.patchU16be(CHECKSUM_OFFSET, sum);
  return writer.finish();
}

/**
 * Reads a message in the order of RFC 9568 section 7.1. Both checksum forms are accepted: a checksum is no protection
 * against forgery, and each form has peers that drop the other. The reserved bits are ignored, as peers do.
 */
export function decodeAdvert(message: Uint8Array, addresses: PacketAddresses): Result<DecodedAdvert, DecodeError> {
  if (message.length < HEADER_BYTES) return err("packet_length");
  const reader = new ByteReader(message);
  const versionAndType = reader.u8();
  if (versionAndType >> 4 !== VRRP_VERSION) return err("version");
  if ((versionAndType & 0x0f) !== VRRP_TYPE_ADVERTISEMENT) return err("type");
  const vrid = reader.u8();
  const priority = reader.u8();
  const count = reader.u8();
  const intervalCs = reader.u16be() & 0x0fff;
  reader.skip(2);
  if (message.length !== messageBytes(count)) return err("packet_length");
  if (count === 0) return err("address_count");
  if (vrid === 0) return err("vrid");
  const form = checksumFormOf(message, addresses);
  if (form === null) return err("checksum");
  // One forged interval of 0 would make every backup a master at once.
  if (intervalCs === 0 && priority !== PRIORITY_RELEASE) return err("interval_zero");
  const list = Array.from({ length: count }, () => ipFromBytes(reader.bytes(IPV4_BYTES)));
  return ok({ vrid, priority, intervalCs, addresses: list, checksumForm: form });
}

function checksumFormOf(message: Uint8Array, addresses: PacketAddresses): ChecksumForm | null {
  if (internetChecksum(pseudoHeader(addresses, message.length), message) === 0) return "pseudo-header";
  return internetChecksum(message) === 0 ? "message-only" : null;
}
