import { assert } from "../base/assert.ts";
import type { ByteWriter } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import { readU16, readU16be, readU32, readU64 } from "./integers.ts";
import { alignedLength, NETLINK_ALIGNMENT, type NetlinkDecodeError } from "./message.ts";

/*
 * An attribute (linux/netlink.h): length includes the four header bytes and excludes the padding.
 *
 *   0                   1                   2                   3
 *  +-------------------------------+-------------------------------+
 *  |            length             |N|O|          type             |
 *  +-------------------------------+-------------------------------+
 *  |  data, padded with zeros to a multiple of four bytes ...      |
 *  +---------------------------------------------------------------+
 *   N = NLA_F_NESTED, O = NLA_F_NET_BYTEORDER: hints that the kernel mostly leaves away
 */
export const ATTRIBUTE_HEADER_BYTES = 4;
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const MAX_ATTRIBUTE_BYTES = 0xffff;

/** Appends attributes to a message body. Names follow what the kernel reads: integers in host order unless `be`. */
export class AttributeWriter {
  readonly #writer: ByteWriter;

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  #header(type: number, dataBytes: number): ByteWriter {
    const length = ATTRIBUTE_HEADER_BYTES + dataBytes;
    assert(length <= MAX_ATTRIBUTE_BYTES, `attribute ${type} of ${dataBytes} bytes`);
    return this.#writer.u16le(length).u16le(type);
  }

  u8(type: number, value: number): this {
    this.#header(type, 1).u8(value).zeros(3);
    return this;
  }
  u16(type: number, value: number): this {
    this.#header(type, 2).u16le(value).zeros(2);
    return this;
  }
  u16be(type: number, value: number): this {
    this.#header(type, 2).u16be(value).zeros(2);
    return this;
  }
  u32(type: number, value: number): this {
    this.#header(type, 4).u32le(value);
    return this;
  }
  bytes(type: number, value: Uint8Array): this {
    this.#header(type, value.length).bytes(value).align(NETLINK_ALIGNMENT);
    return this;
  }
  /** A string with its closing NUL, as nla_policy NLA_NUL_STRING wants it. */
  string(type: number, value: string): this {
    return this.bytes(type, Buffer.from(`${value}\0`, "utf8"));
  }
  nest(type: number, writeInner: (attributes: AttributeWriter) => void): this {
    const start = this.#writer.length;
    this.#header(type | NLA_F_NESTED, 0);
    writeInner(this);
    const length = this.#writer.length - start;
    assert(length <= MAX_ATTRIBUTE_BYTES, `nest ${type} of ${length} bytes`);
    this.#writer.patchU16le(start, length);
    return this;
  }
}

/**
 * Walks the attributes of a message without copying: `while (reader.next()) switch (reader.type) ...`.
 * It never throws for what the bytes say: a broken attribute ends the walk, a value shorter than asked for reads as zero,
 * and either is found in `error` afterwards. The walk is bounded by the bytes: each attribute takes four at least.
 */
export class AttributeReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #next: number;
  #data = 0;
  #length = 0;
  #type = 0;
  #error: NetlinkDecodeError | undefined;

  /**
   * @param bytes message or part of it
   * @param start offset of the first attribute
   * @param end   offset behind the last one
   */
  constructor(bytes: Buffer, start: number, end = bytes.length) {
    this.#bytes = bytes;
    this.#next = start;
    this.#end = Math.min(end, bytes.length);
  }

  /** Moves to the next attribute; false at the end and at the first broken one. */
  next(): boolean {
    const start = this.#next;
    const room = this.#end - start;
    if (room <= 0 || this.#error !== undefined) return false;
    // What is left of padding may be shorter than a header; the kernel ignores it as well.
    if (room < ATTRIBUTE_HEADER_BYTES) return false;
    const length = readU16(this.#bytes, start);
    if (length < ATTRIBUTE_HEADER_BYTES || length > room) {
      this.#error = { code: "bad-attribute", detail: `attribute at ${start} claims ${length} of ${room} bytes` };
      return false;
    }
    this.#type = readU16(this.#bytes, start + 2) & NLA_TYPE_MASK;
    this.#data = start + ATTRIBUTE_HEADER_BYTES;
    this.#length = length - ATTRIBUTE_HEADER_BYTES;
    this.#next = start + alignedLength(length);
    return true;
  }

  get type(): number {
    return this.#type;
  }
  /** Offset of the current attribute's data in the message. */
  get start(): number {
    return this.#data;
  }
  /** Bytes of data in the current attribute. */
  get length(): number {
    return this.#length;
  }
  get error(): NetlinkDecodeError | undefined {
    return this.#error;
  }

  #has(bytes: number): boolean {
    if (this.#length >= bytes) return true;
    this.#error ??= { code: "bad-attribute", detail: `attribute ${this.#type} has ${this.#length} of ${bytes} bytes` };
    return false;
  }

  u8(): number {
    return this.#has(1) ? (this.#bytes[this.#data] ?? 0) : 0;
  }
  u16(): number {
    return this.#has(2) ? readU16(this.#bytes, this.#data) : 0;
  }
  u16be(): number {
    return this.#has(2) ? readU16be(this.#bytes, this.#data) : 0;
  }
  u32(): number {
    return this.#has(4) ? readU32(this.#bytes, this.#data) : 0;
  }
  /** Exact up to 2^53. */
  u64(): number {
    return this.#has(8) ? readU64(this.#bytes, this.#data) : 0;
  }
  /** The data: a view, not a copy. */
  data(): Buffer {
    return this.#bytes.subarray(this.#data, this.#data + this.#length);
  }
  /** Text up to the first NUL. */
  string(): string {
    const data = this.data();
    const nul = data.indexOf(0);
    return data.toString("utf8", 0, nul < 0 ? data.length : nul);
  }
  /** A reader of the attributes inside this one; its `error` is its own. */
  nested(): AttributeReader {
    return new AttributeReader(this.#bytes, this.#data, this.#data + this.#length);
  }

  /** Records a failure found by the caller, or in a nest, so that one check at the end suffices. */
  fail(error: NetlinkDecodeError | undefined): void {
    this.#error ??= error;
  }

  /** The decoded value, unless something went wrong on the way. */
  outcome<T>(value: T): Result<T, NetlinkDecodeError> {
    return this.#error === undefined ? ok(value) : err(this.#error);
  }
}
