import { assert } from "./assert.ts";

/** Thrown by ByteReader when the bytes end too early; codecs catch it and return a coded error. */
export class ShortBufferError extends Error {
  override readonly name = "ShortBufferError";
}

/** Reads integers and slices from a buffer, front to back. Network protocols here are big-endian, netlink is little. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #advance(length: number): number {
    assert(length >= 0, `negative length ${length}`);
    if (length > this.remaining) throw new ShortBufferError(`need ${length} bytes, ${this.remaining} left`);
    const at = this.#offset;
    this.#offset += length;
    return at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }
  u16be(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }
  u32be(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }
  u16le(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }
  u32le(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }
  i32le(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }
  /** A view of the next bytes, not a copy. */
  bytes(length: number): Buffer {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }
  skip(length: number): void {
    this.#advance(length);
  }
}

/** Builds a buffer front to back; grows as needed. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(initialCapacity = 64) {
    this.#bytes = Buffer.alloc(initialCapacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Makes room. May replace the buffer, so callers reserve first and name `#bytes` afterwards. */
  #reserve(length: number): number {
    const at = this.#length;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }
  u16be(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }
  u32be(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }
  u16le(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }
  u32le(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }
  i32le(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeInt32LE(value, at);
    return this;
  }
  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }
  zeros(length: number): this {
    const at = this.#reserve(length);
    this.#bytes.fill(0, at, at + length);
    return this;
  }
  /** Pads with zeros to a multiple of `alignment` bytes. */
  align(alignment: number): this {
    return this.zeros((alignment - (this.#length % alignment)) % alignment);
  }
  /** Overwrites two bytes that were written before, for lengths and checksums known only later. */
  patchU16be(at: number, value: number): this {
    assert(at + 2 <= this.#length, "patch beyond the end");
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }
  patchU16le(at: number, value: number): this {
    assert(at + 2 <= this.#length, "patch beyond the end");
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }
  patchU32le(at: number, value: number): this {
    assert(at + 4 <= this.#length, "patch beyond the end");
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }
  /** The bytes written so far: a view, valid until the next write. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
