// A small DER writer (X.690): as much as a certificate request, and the certificates of tests, are made of.

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

/** Tag, length in its shortest form, content. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(content.length), content]);
}

export const TRUE = element(0x01, Buffer.from([0xff]));

export function sequence(...members: readonly Uint8Array[]): Buffer {
  return element(SEQUENCE, ...members);
}

export function set(...members: readonly Uint8Array[]): Buffer {
  return element(SET, ...members);
}

/** A non-negative integer, big end first. A leading zero octet keeps it from reading as negative. */
export function integer(magnitude: Uint8Array): Buffer {
  const start = magnitude.findIndex((octet) => octet !== 0);
  const digits = start === -1 ? Buffer.from([0]) : Buffer.from(magnitude.subarray(start));
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return element(INTEGER, sign, digits);
}

/** Whole octets. `unusedBits` is for named bits such as key usage, whose trailing zeros DER cuts off. */
export function bitString(bits: Uint8Array, unusedBits = 0): Buffer {
  return element(BIT_STRING, Buffer.from([unusedBits]), bits);
}

export function octetString(octets: Uint8Array): Buffer {
  return element(OCTET_STRING, octets);
}

export function utf8String(text: string): Buffer {
  return element(UTF8_STRING, Buffer.from(text));
}

/** An object identifier in dotted notation. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(OBJECT_IDENTIFIER, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** `[number]` in place of or around the tag, as the module says (IMPLICIT or EXPLICIT). */
export function context(number: number, form: 'primitive' | 'constructed', ...contents: readonly Uint8Array[]): Buffer {
  return element(CONTEXT + number + (form === 'constructed' ? CONSTRUCTED : 0), ...contents);
}

/** Whole seconds. Years before 2050 must be UTCTime, later ones GeneralizedTime (RFC 5280, 4.1.2.5). */
export function time(epochMs: number): Buffer {
  const digits = `${new Date(epochMs).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return digits < '2050'
    ? element(UTC_TIME, Buffer.from(digits.slice(2)))
    : element(GENERALIZED_TIME, Buffer.from(digits));
}

/** RFC 7468: base 64 in lines of 64 between two labels. */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Buffer.from([0x80 + digits.length, ...digits]);
}

function base128(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift((rest % 128) + 128);
  return octets;
}
