// What repeated bytes said, found by the bytes: header blocks, and names in them. A few of them, and short ones.
//
// Bytes are held from the second time that they are met, so that those which never come again push nothing out and stay in
// no memory.

const SLOTS = 32;

interface Held<Value> {
  readonly bytes: Uint8Array;
  readonly value: Value;
}

export class BytesCache<Value> {
  readonly #lengthMax: number;
  /** By slot: the hash of the bytes that were met there last. */
  readonly #met = new Int32Array(SLOTS);
  readonly #held: (Held<Value> | undefined)[] = new Array(SLOTS).fill(undefined);
  #heldCount = 0;
  /** Of the bytes that were looked for last. */
  #hash = 0;

  /** Longer bytes are not looked for. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  find(bytes: Uint8Array, start: number, end: number): Value | undefined {
    if (end - start > this.#lengthMax) return undefined;
    this.#hash = hashOf(bytes, start, end);
    const held = this.#held[this.#hash & (SLOTS - 1)];
    return held !== undefined && isEqual(held.bytes, bytes, start, end) ? held.value : undefined;
  }

  /** Right after `find` did not know these bytes. */
  note(bytes: Uint8Array, start: number, end: number, value: Value): void {
    if (end - start > this.#lengthMax) return;
    const slot = this.#hash & (SLOTS - 1);
    if (this.#met[slot] !== this.#hash) {
      this.#met[slot] = this.#hash;
      return;
    }
    if (this.#held[slot] === undefined) this.#heldCount++;
    // A copy of its own: they are a piece of a large chunk from the network.
    this.#held[slot] = { bytes: Uint8Array.from(bytes.subarray(start, end)), value };
  }

  /** They mean something else now. */
  clear(): void {
    if (this.#heldCount === 0) return;
    this.#held.fill(undefined);
    this.#heldCount = 0;
  }
}

/** FNV-1a; a collision costs a miss and no more. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash;
}

function isEqual(held: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (held.length !== end - start) return false;
  for (let i = 0; i < held.length; i++) {
    if (held[i] !== bytes[start + i]) return false;
  }
  return true;
}
