// Protobuf written as byte strings, one character per byte: a message is put together from its parts as text, whose lengths
// are known, and becomes bytes in one step. Byte strings are what headers are here anyway; each part that were written
// by itself would be a call of the platform.

/** Base 128, the low seven bits first. */
export function varint(value: number): string {
  if (value < 0x80) return String.fromCharCode(value);
  if (value < 0x4000) return String.fromCharCode((value & 0x7f) | 0x80, value >>> 7);
  let text = '';
  let rest = value;
  while (rest > 0x7f) {
    text += String.fromCharCode((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return text + String.fromCharCode(rest);
}

/** What stands before `length` bytes of a field. */
export function delimited(field: number, length: number): string {
  // Nearly every field and its length are a byte each: one string for both.
  if (field < 16 && length < 0x80) return String.fromCharCode(field * 8 + 2, length);
  return varint(field * 8 + 2) + varint(length);
}

/** A nested message, or bytes: written even when empty. */
export function nested(field: number, content: string): string {
  return delimited(field, content.length) + content;
}

/** Left out when empty, as proto3 has it. */
export function text(field: number, value: string): string {
  return value === '' ? '' : nested(field, value);
}

/** Left out when zero. */
export function uint(field: number, value: number): string {
  return value === 0 ? '' : varint(field * 8) + varint(value);
}
