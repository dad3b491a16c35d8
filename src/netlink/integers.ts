/*
 * Integers in messages, by their bytes. Buffer's methods check ranges that the callers here have checked already, and a
 * table of ten thousand destinations reads and writes a million of them, mostly before the compiler has warmed up.
 */

/** @param at offset of two bytes that exist */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** @param at offset of two bytes that exist; network byte order */
export function readU16be(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** @param at offset of four bytes that exist */
export function readU32(bytes: Uint8Array, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;
}

/** @param at offset of eight bytes that exist. @returns the nearest number that a double can hold: exact up to 2^53 */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
}

/** @param value 0 to 2^16 - 1; network byte order */
export function writeU16be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** @param value 0 to 2^32 - 1 */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
