import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { familyOf, type IpText, ipToBytes } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { HmacConfig } from "../config/model.ts";

/*
 * The authentication trailer, directly after the VRRP message (draft-cassen-vrrp-auth-hmac, as keepalived 2.4 sends it):
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +---------------+---------------+-------------------------------+
 * | ext type = 1  |    key id     |          reserved = 0         |
 * +---------------+---------------+-------------------------------+
 * |            seconds since 1970 UTC, low 32 bits                |
 * +-------------------------------+-------------------------------+
 * |   fraction in 1/65536 s       |          tie breaker          |
 * +-------------------------------+-------------------------------+
 * |   first 16 bytes of HMAC-SHA-256                              |
 * +---------------------------------------------------------------+
 */

export const TRAILER_BYTES = 28;
/** What the digest covers of the trailer. */
const HEAD_BYTES = 12;
const MAC_BYTES = TRAILER_BYTES - HEAD_BYTES;
const EXT_TYPE_HMAC_SHA256_128 = 1;
const CHECKSUM_AT = 6;
const IPV6_BYTES = 16;
const MS_PER_S = 1000;
const SUBSECONDS_PER_S = 65_536;

/** HMAC-SHA-256 of `data`, all 32 bytes. */
export type HmacSha256 = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** The bytes of the configured keys by id. */
export type HmacKeys = ReadonlyMap<number, Uint8Array>;

/** Why a trailer is refused; stable, used as counter names. */
export type AuthReject =
  | "auth_missing"
  | "auth_malformed"
  | "auth_stale"
  | "auth_unknown_key"
  | "auth_bad_hmac"
  | "auth_replay";

/** The router that signs: what a trailer cannot be moved away from. */
export interface Signer {
  /** 2 or 3; holdfast speaks 3. */
  readonly version: number;
  readonly vrid: number;
  /** Source address of the IP header. */
  readonly source: IpText;
}

/** The last sequence accepted from a sender. */
export interface ReplayMark {
  readonly source: IpText;
  readonly sequence: bigint;
}

/** What must be remembered between adverts; nothing of it needs a disk. */
export interface HmacState {
  readonly lastSent: bigint | null;
  /** Least recently heard first; bounded by `maxSenders`. */
  readonly marks: readonly ReplayMark[];
}

export const INITIAL_HMAC_STATE: HmacState = { lastSent: null, marks: [] };

/**
 * The bytes under the digest: who sends, the message with its checksum read as 0, and the trailer without its digest. Neither
 * the destination nor the checksum is covered, so that one trailer serves the copies for all peers.
 */
export function macInput(signer: Signer, message: Uint8Array, head: Uint8Array): Buffer {
  const source = ipToBytes(signer.source);
  return new ByteWriter(20 + message.length + TRAILER_BYTES)
    .u8(familyOf(signer.source))
    .u8(signer.version)
    .u8(signer.vrid)
    .u8(0)
    .bytes(source)
    .zeros(IPV6_BYTES - source.length)
    .bytes(message.subarray(0, CHECKSUM_AT))
    .u16be(0)
    .bytes(message.subarray(CHECKSUM_AT + 2))
    .bytes(head)
    .zeros(MAC_BYTES)
    .finish();
}

/** @param sequence 64 bits: seconds, fraction, tie breaker */
export function encodeTrailer(
  signer: Signer,
  message: Uint8Array,
  key: { readonly id: number; readonly bytes: Uint8Array },
  sequence: bigint,
  hmac: HmacSha256,
): Buffer {
  assert(key.id >= 1 && key.id <= 255, `key id out of range: ${key.id}`);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(EXT_TYPE_HMAC_SHA256_128, 0);
  head.writeUInt8(key.id, 1);
  head.writeBigUInt64BE(sequence, 4);
  const mac = hmac(key.bytes, macInput(signer, message, head)).subarray(0, MAC_BYTES);
  return Buffer.concat([head, mac]);
}

/** The clock as a sequence, tie breaker 0. @param wallMs milliseconds since 1970 UTC */
export function clockSequence(wallMs: number): bigint {
  const seconds = BigInt(Math.floor(wallMs / MS_PER_S)) & 0xffff_ffffn;
  const fraction = BigInt(Math.floor(((wallMs % MS_PER_S) * SUBSECONDS_PER_S) / MS_PER_S));
  return (seconds << 32n) | (fraction << 16n);
}

/** Whether `a` comes after `b` on the circle of 2^64 (as RFC 1982 does for serial numbers). */
export function isLater(a: bigint, b: bigint): boolean {
  return BigInt.asIntN(64, a - b) > 0n;
}

/** The seconds from `b` to `a` on the circle of 2^32, negative backwards. */
function secondsBetween(a: bigint, b: bigint): number {
  return Number(BigInt.asIntN(32, (a >> 32n) - (b >> 32n)));
}

/**
 * The sequence of the next advert: the clock, or one more than the last where the clock has not moved on. With `time` a clock
 * that was set back by more than the window starts anew, because receivers would refuse what is ahead of their clocks.
 */
export function nextSequence(
  last: bigint | null,
  clock: bigint,
  config: Pick<HmacConfig, "replay" | "windowS">,
): bigint {
  if (last === null || isLater(clock, last)) return clock;
  if (config.replay === "time" && secondsBetween(last, clock) > config.windowS) return clock;
  return BigInt.asUintN(64, last + 1n);
}

/** Signs one advert: the trailer for the copies to all peers, and the state with its sequence used up. */
export function signAdvert(
  config: HmacConfig,
  keys: HmacKeys,
  state: HmacState,
  advert: { readonly signer: Signer; readonly message: Uint8Array },
  wallMs: number,
  hmac: HmacSha256,
): { readonly state: HmacState; readonly trailer: Buffer } {
  const bytes = keys.get(config.activeKey);
  assert(bytes !== undefined, `there is no key ${config.activeKey}`);
  const sequence = nextSequence(state.lastSent, clockSequence(wallMs), config);
  const trailer = encodeTrailer(advert.signer, advert.message, { id: config.activeKey, bytes }, sequence, hmac);
  return { state: { ...state, lastSent: sequence }, trailer };
}

/** A good trailer. */
export interface Authenticated {
  /** The sender's clock minus ours, whole seconds; null where clocks are not compared. */
  readonly skewS: number | null;
}

/**
 * Judges a received trailer, or its absence, in the order in which keepalived counts: cheap checks first, and nothing is
 * remembered of a sender before its digest was right.
 * @param maxSenders senders to remember: every router that may sign, or replays of the forgotten ones pass
 */
export function verifyTrailer(
  config: HmacConfig,
  keys: HmacKeys,
  state: HmacState,
  packet: { readonly signer: Signer; readonly message: Uint8Array; readonly trailer: Uint8Array | null },
  wallMs: number,
  maxSenders: number,
  hmac: HmacSha256,
): { readonly state: HmacState; readonly verdict: Result<Authenticated, AuthReject> } {
  const refused = (reason: AuthReject) => ({ state, verdict: err(reason) });
  const { trailer, signer } = packet;
  if (trailer === null) {
    return config.mode === "enforce" ? refused("auth_missing") : { state, verdict: ok({ skewS: null }) };
  }
  const reader = new ByteReader(trailer);
  const extType = reader.u8();
  const keyId = reader.u8();
  if (extType !== EXT_TYPE_HMAC_SHA256_128 || reader.u16be() !== 0) return refused("auth_malformed");
  const sequence = reader.bytes(8).readBigUInt64BE();
  const clock = clockSequence(wallMs);
  const isTimed = config.replay === "time";
  const skewS = secondsBetween(sequence, clock);
  if (isTimed && Math.abs(skewS) > config.windowS) return refused("auth_stale");
  const key = keys.get(keyId);
  if (key === undefined) return refused("auth_unknown_key");
  const expected = hmac(key, macInput(signer, packet.message, trailer.subarray(0, HEAD_BYTES)));
  if (!isSame(trailer.subarray(HEAD_BYTES), expected.subarray(0, MAC_BYTES))) return refused("auth_bad_hmac");
  const mark = state.marks.find(({ source }) => source === signer.source);
  // A mark beyond the window was set before a clock was put right: keeping it would lock the sender out.
  const isMarkGood =
    mark !== undefined && !(isTimed && Math.abs(secondsBetween(mark.sequence, clock)) > config.windowS);
  if (isMarkGood && !isLater(sequence, mark.sequence)) return refused("auth_replay");
  const others = state.marks.filter(({ source }) => source !== signer.source);
  const marks = [...others, { source: signer.source, sequence }].slice(-maxSenders);
  return { state: { ...state, marks }, verdict: ok({ skewS: isTimed ? skewS : null }) };
}

/** In a time that does not depend on where the first difference is. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
