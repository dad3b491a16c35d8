import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import { readU16, readU32, writeU32 } from "./integers.ts";

/*
 * The message header every netlink protocol shares (linux/netlink.h), host byte order: little-endian on every machine
 * holdfast runs on.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |                  length, this header included                 |
 *  +-------------------------------+-------------------------------+
 *  |             type              |             flags             |
 *  +-------------------------------+-------------------------------+
 *  |                        sequence number                        |
 *  +---------------------------------------------------------------+
 *  |                    port id of the sender                      |
 *  +---------------------------------------------------------------+
 */
export const NETLINK_HEADER_BYTES = 16;

/** Messages begin on multiples of four bytes (NLMSG_ALIGNTO), attributes too. */
export const NETLINK_ALIGNMENT = 4;

/** Kinds of netlink sockets: the protocol argument of socket(2). */
export const NETLINK_ROUTE = 0;
export const NETLINK_GENERIC = 16;

// Message types below 16 belong to netlink itself.
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
// The same bits mean something else in requests that create.
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const LENGTH_OFFSET = 0;
const TYPE_OFFSET = 4;
const FLAGS_OFFSET = 6;
const SEQUENCE_OFFSET = 8;
const PORT_ID_OFFSET = 12;

/** Why bytes are not the message they should be. Stable codes; `detail` is for people. */
export interface NetlinkDecodeError {
  readonly code:
    | "short-message"
    | "bad-length"
    | "bad-attribute"
    | "unexpected-type"
    | "missing-attribute"
    | "bad-value";
  readonly detail: string;
}

export interface NetlinkHeader {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
}

export function decodeError(code: NetlinkDecodeError["code"], detail: string): Result<never, NetlinkDecodeError> {
  return err({ code, detail });
}

/**
 * Builds one message; sequence number and port id stay 0 for the socket to fill in (`stampMessage`).
 * @param type  protocol's message type, or the family id of generic netlink
 * @param flags NLM_F_* bits
 * @param writeBody writes everything after the header
 */
export function encodeMessage(type: number, flags: number, writeBody: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(128);
  writer.u32le(0).u16le(type).u16le(flags).u32le(0).u32le(0);
  writeBody(writer);
  writer.align(NETLINK_ALIGNMENT);
  writer.patchU32le(LENGTH_OFFSET, writer.length);
  return writer.finish();
}

/** Writes the two header fields that only the socket knows, in place. */
export function stampMessage(message: Buffer, sequence: number, portId: number): void {
  assert(message.length >= NETLINK_HEADER_BYTES, "a message begins with a header");
  writeU32(message, SEQUENCE_OFFSET, sequence);
  writeU32(message, PORT_ID_OFFSET, portId);
}

/** Reads the header of a message and checks that its length lies within the bytes at hand. */
export function decodeHeader(bytes: Buffer): Result<NetlinkHeader, NetlinkDecodeError> {
  if (bytes.length < NETLINK_HEADER_BYTES) {
    return decodeError("short-message", `${bytes.length} bytes are less than a header`);
  }
  const length = readU32(bytes, LENGTH_OFFSET);
  if (length < NETLINK_HEADER_BYTES || length > bytes.length) {
    return decodeError("bad-length", `a message claims ${length} of ${bytes.length} bytes`);
  }
  return ok({
    length,
    type: readU16(bytes, TYPE_OFFSET),
    flags: readU16(bytes, FLAGS_OFFSET),
    sequence: readU32(bytes, SEQUENCE_OFFSET),
    portId: readU32(bytes, PORT_ID_OFFSET),
  });
}

/**
 * Cuts a datagram into its messages: views, not copies. Bounded by the datagram: every message takes 16 bytes at least.
 * @returns the messages without the padding between them; an error if one claims more than there is (a truncated read)
 */
export function splitMessages(datagram: Buffer): Result<readonly Buffer[], NetlinkDecodeError> {
  const messages: Buffer[] = [];
  let offset = 0;
  while (offset < datagram.length) {
    const rest = datagram.subarray(offset);
    const header = decodeHeader(rest);
    if (!header.ok) return header;
    messages.push(rest.subarray(0, header.value.length));
    offset += alignedLength(header.value.length);
  }
  return ok(messages);
}

/** A length rounded up to where the next message or attribute begins. */
export function alignedLength(length: number): number {
  return (length + NETLINK_ALIGNMENT - 1) & ~(NETLINK_ALIGNMENT - 1);
}

/**
 * Reads an acknowledgement (NLMSG_ERROR): 0 for success, else the positive errno. An NLMSG_DONE that ends a dump carries
 * its outcome in the same place, and may carry none.
 * @param message a message of type NLMSG_ERROR or NLMSG_DONE
 */
export function decodeErrno(message: Buffer): Result<number, NetlinkDecodeError> {
  const header = decodeHeader(message);
  if (!header.ok) return header;
  const { type, length } = header.value;
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) {
    return decodeError("unexpected-type", `type ${type} is no acknowledgement`);
  }
  if (length < NETLINK_HEADER_BYTES + 4) {
    return type === NLMSG_DONE ? ok(0) : decodeError("short-message", "an acknowledgement without its error number");
  }
  const value = message.readInt32LE(NETLINK_HEADER_BYTES);
  // DONE carries what the dump function returned: negative is an errno, the rest is a byte count of no interest.
  if (value < 0) return ok(-value);
  return value === 0 || type === NLMSG_DONE ? ok(0) : decodeError("bad-value", `an errno of ${-value}`);
}
