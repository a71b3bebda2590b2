// The protobuf wire format (proto3, encoding.md): as much of it as our few messages need, both ways.
//
// Strings in call messages are byte strings, one character per byte, like header values everywhere here: an app's
// bytes arrive as they left. Text that people wrote (status messages) goes through the utf8 variants.
import { err, ok, type Result } from '../../kit/result.ts';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Appends fields to one growing buffer. Empty strings, zeros and false are left out, as proto3 has it. */
export class ProtoWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 512) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  /** One byte per character. */
  string(field: number, value: string): void {
    if (value === '') return;
    this.header(field, value.length);
    this.#room(value.length);
    this.#buffer.write(value, this.#length, 'latin1');
    this.#length += value.length;
  }

  utf8(field: number, value: string): void {
    if (value !== '') this.bytes(field, Buffer.from(value));
  }

  /** Written even when empty: an empty piece of a body is not the same as none. */
  bytes(field: number, value: Uint8Array): void {
    this.header(field, value.length);
    this.raw(value);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A nested message: what `write` appends becomes its content. */
  message(field: number, write: (writer: ProtoWriter) => void): void {
    const inner = new ProtoWriter(128);
    write(inner);
    this.bytes(field, inner.finish());
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The tag and length of a field whose `length` bytes the caller adds. */
  header(field: number, length: number): void {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(length);
  }

  #varint(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** One field of a message as it stands on the wire: a number or a run of bytes. */
export type ProtoField =
  | { readonly number: number; readonly kind: 'number'; readonly value: number }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Buffer };

/** A field costs some fifty times its two bytes in memory. Ours have a few, and one for each header. */
const FIELDS_MAX = 8192;

/**
 * The fields of a message in order. Fixed-width fields, which no message here has, are skipped; whatever is cut short
 * or is not protobuf at all is an error, never a guess.
 */
export function readFields(bytes: Buffer): Result<readonly ProtoField[]> {
  const fields: ProtoField[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (fields.length === FIELDS_MAX) return err(`the message has more than ${FIELDS_MAX} fields`);
    const tag = readVarint(bytes, at);
    if (!tag || tag.value >= 2 ** 32) return err('a field tag is cut short or too large');
    at = tag.next;
    const number = Math.floor(tag.value / 8);
    if (number === 0) return err('field number 0 does not exist');
    const wireType = tag.value % 8;
    if (wireType === VARINT) {
      const read = readVarint(bytes, at);
      if (!read) return err(`field ${number} is cut short`);
      fields.push({ number, kind: 'number', value: read.value });
      at = read.next;
    } else if (wireType === LENGTH_DELIMITED) {
      const length = readVarint(bytes, at);
      if (!length || length.next + length.value > bytes.length) return err(`field ${number} is cut short`);
      at = length.next + length.value;
      fields.push({ number, kind: 'bytes', value: bytes.subarray(length.next, at) });
    } else if (wireType === FIXED64 || wireType === FIXED32) {
      at += wireType === FIXED64 ? 8 : 4;
      if (at > bytes.length) return err(`field ${number} is cut short`);
    } else {
      return err(`field ${number} has the unknown wire type ${wireType}`);
    }
  }
  return ok(fields);
}

/** Values beyond 2^53 lose their low bits: no number here means anything that large. */
function readVarint(bytes: Buffer, start: number): { value: number; next: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.length && at < start + 10; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
    scale *= 0x80;
  }
  return undefined;
}

/** Where a message has a field twice, the last one counts (proto3). */
export function lastBytes(fields: readonly ProtoField[], number: number): Buffer | undefined {
  const field = fields.findLast((f) => f.number === number && f.kind === 'bytes');
  return field?.kind === 'bytes' ? field.value : undefined;
}

export function lastString(fields: readonly ProtoField[], number: number): string {
  return lastBytes(fields, number)?.toString('latin1') ?? '';
}

export function lastUtf8(fields: readonly ProtoField[], number: number): string {
  return lastBytes(fields, number)?.toString('utf8') ?? '';
}

export function lastNumber(fields: readonly ProtoField[], number: number): number {
  const field = fields.findLast((f) => f.number === number && f.kind === 'number');
  return field?.kind === 'number' ? field.value : 0;
}

export function allBytes(fields: readonly ProtoField[], number: number): Buffer[] {
  return fields.flatMap((f) => (f.number === number && f.kind === 'bytes' ? [f.value] : []));
}
