/**
 * The internet checksum (RFC 1071): one's complement of the one's-complement sum of 16-bit big-endian words; an odd last
 * byte counts as the high half of a word. Over bytes that already hold a right checksum the result is 0.
 * @param parts byte ranges summed as if concatenated; each but the last must have an even length
 */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
