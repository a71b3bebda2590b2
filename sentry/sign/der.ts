// A strict DER reader (X.690) for what strangers send: one element, every length in its shortest form, nothing left
// over anywhere, bounded nesting. X.509 libraries are lenient in all four.
import { err, ok, type Result } from '../../kit/result.ts';

export interface DerElement {
  readonly tag: number;
  /** Tag and length included. */
  readonly whole: Buffer;
  readonly content: Buffer;
  /** Empty for primitive elements. */
  readonly members: readonly DerElement[];
}

export const TAG = { integer: 0x02, bitString: 0x03, sequence: 0x30, attributes: 0xa0 } as const;

/** A certificate request nests some eight deep. */
const DEPTH_MAX = 16;
const CONSTRUCTED = 0x20;
const HIGH_TAG = 0x1f;

/** The one element that `bytes` is. */
export function readDer(bytes: Buffer, depth = 0): Result<DerElement> {
  const first = readElement(bytes, depth);
  if (!first.ok) return first;
  return first.value.whole.length === bytes.length ? first : err('bytes follow the end of it');
}

function readElement(bytes: Buffer, depth: number): Result<DerElement> {
  const tag = bytes[0];
  const header = readLength(bytes);
  if (tag === undefined || !header) return err('it is cut short, or a length is not in its shortest form');
  if ((tag & HIGH_TAG) === HIGH_TAG) return err('it holds a tag that no certificate request has');
  if (depth > DEPTH_MAX) return err('it is nested too deeply');
  const end = header.bytes + header.length;
  if (end > bytes.length) return err('it is cut short');
  const whole = bytes.subarray(0, end);
  const content = bytes.subarray(header.bytes, end);
  if (tag === TAG.integer && !isShortestInteger(content)) return err('an integer is not in its shortest form');
  if ((tag & CONSTRUCTED) === 0) return ok({ tag, whole, content, members: [] });
  const members = readMembers(content, depth + 1);
  return members.ok ? ok({ tag, whole, content, members: members.value }) : members;
}

function readMembers(content: Buffer, depth: number): Result<readonly DerElement[]> {
  const members: DerElement[] = [];
  for (let at = 0; at < content.length; ) {
    const member = readElement(content.subarray(at), depth);
    if (!member.ok) return member;
    members.push(member.value);
    at += member.value.whole.length;
  }
  return ok(members);
}

/** Length octets up to two, which is more than a request may have; undefined for any form that DER forbids. */
function readLength(bytes: Buffer): { readonly length: number; readonly bytes: number } | undefined {
  const first = bytes[1];
  if (first === undefined) return undefined;
  if (first < 0x80) return { length: first, bytes: 2 };
  const octets = first - 0x80;
  if (octets < 1 || octets > 2 || bytes.length < 2 + octets) return undefined;
  const length = bytes.readUIntBE(2, octets);
  return length < (octets === 1 ? 0x80 : 0x100) ? undefined : { length, bytes: 2 + octets };
}

function isShortestInteger(content: Buffer): boolean {
  const [first, second] = content;
  if (first === undefined) return false;
  if (second === undefined) return true;
  return !(first === 0x00 && second < 0x80) && !(first === 0xff && second >= 0x80);
}
