// Integers of HPACK (RFC 7541, 5.1): the low bits of a byte, and as many bytes of seven bits as it takes.
//
// Nothing that is counted here is large, so more than four further bytes are an error, even if they only say zero.

/** Where reading stands; moves on as things are read. */
export interface Cursor {
  bytes: Buffer;
  at: number;
}

/** Instead of an integer: the bytes end too early, or go on too long. A failure on the hot path costs no object. */
export const NO_INTEGER = -1;

const FURTHER_BITS_MAX = 28;

/** The integer that begins in the low `prefixBits` of the byte at the cursor, or `NO_INTEGER`. */
export function readInteger(cursor: Cursor, prefixBits: number): number {
  const { bytes } = cursor;
  const prefixMax = (1 << prefixBits) - 1;
  let value = (bytes[cursor.at++] ?? 0) & prefixMax;
  if (value < prefixMax) return cursor.at <= bytes.length ? value : NO_INTEGER;
  for (let shift = 0; shift < FURTHER_BITS_MAX; shift += 7) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) return NO_INTEGER;
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return NO_INTEGER;
}

/** Writes `value` with `flags` in the high bits of its first byte, and says where it ends. It takes at most six bytes. */
export function writeInteger(to: Uint8Array, at: number, flags: number, prefixBits: number, value: number): number {
  const prefixMax = (1 << prefixBits) - 1;
  if (value < prefixMax) {
    to[at] = flags | value;
    return at + 1;
  }
  to[at++] = flags | prefixMax;
  let rest = value - prefixMax;
  for (; rest >= 0x80; rest >>>= 7) to[at++] = (rest & 0x7f) | 0x80;
  to[at++] = rest;
  return at;
}
