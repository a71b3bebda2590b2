// Field names: the same few come with every message, so each is put into lower case once.
import { TOKEN } from './bytes.ts';

/** Fields that HTTP/1.1 itself acts on. */
export const Known = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  UPGRADE: 5,
  EXPECT: 6,
  KEEP_ALIVE: 7,
  PROXY_CONNECTION: 8,
  HTTP2_SETTINGS: 9,
} as const;
export type Known = (typeof Known)[keyof typeof Known];

const KNOWN = new Map<string, Known>([
  ['host', Known.HOST],
  ['content-length', Known.CONTENT_LENGTH],
  ['transfer-encoding', Known.TRANSFER_ENCODING],
  ['connection', Known.CONNECTION],
  ['upgrade', Known.UPGRADE],
  ['expect', Known.EXPECT],
  ['keep-alive', Known.KEEP_ALIVE],
  ['proxy-connection', Known.PROXY_CONNECTION],
  ['http2-settings', Known.HTTP2_SETTINGS],
]);

export interface Name {
  /** In lower case. */
  readonly text: string;
  readonly known: Known;
}

export function knownName(text: string): Known {
  return KNOWN.get(text) ?? Known.OTHER;
}

const SLOTS = 1024;
const NAME_BYTES_MAX = 48;

/** A new name takes the slot of an older one: what strangers send can cost time here, but no memory and no meaning. */
const slots = new Array<Name | undefined>(SLOTS).fill(undefined);

/** The name at this place, which is all token; `hash` is what `hashByte` made of it. */
export function nameIn(head: string, start: number, end: number, hash: number): Name {
  const slot = hash & (SLOTS - 1);
  const kept = slots[slot];
  if (kept !== undefined && isSame(kept.text, head, start, end)) return kept;
  const text = owned(head.slice(start, end).toLowerCase());
  const name = { text, known: knownName(text) };
  if (end - start <= NAME_BYTES_MAX) slots[slot] = name;
  return name;
}

/** A copy: a piece cut out of a head keeps the whole of that head in memory for as long as it is kept itself. */
export function owned(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** One step per byte, which is in lower case already. */
export function hashByte(hash: number, lower: number): number {
  return (Math.imul(hash, 31) + lower) | 0;
}

function isSame(text: string, head: string, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== TOKEN[head.charCodeAt(start + i)]) return false;
  }
  return true;
}
