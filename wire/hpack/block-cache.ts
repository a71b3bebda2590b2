// What repeated header blocks said, found by their bytes. A few of them, and short ones: a call that looks like the one before
// it takes a dozen bytes once the tables know its fields.
//
// A block is held from the second time that it is met, so that those which never come again (they carry a trace id or a
// date) push nothing out and stay in no memory.

const SLOTS = 32;
const BLOCK_BYTES_MAX = 256;

interface Held<Value> {
  readonly bytes: Uint8Array;
  readonly value: Value;
}

export class BlockCache<Value> {
  /** By slot: the hash of the block that was met there last. */
  readonly #met = new Int32Array(SLOTS);
  readonly #held: (Held<Value> | undefined)[] = new Array(SLOTS).fill(undefined);
  #heldCount = 0;
  /** Of the block that was looked for last. */
  #hash = 0;

  find(block: Uint8Array): Value | undefined {
    if (block.length > BLOCK_BYTES_MAX) return undefined;
    this.#hash = hashOf(block);
    const held = this.#held[this.#hash & (SLOTS - 1)];
    return held !== undefined && isEqual(held.bytes, block) ? held.value : undefined;
  }

  /** Right after `find` did not know the block. */
  note(block: Uint8Array, value: Value): void {
    if (block.length > BLOCK_BYTES_MAX) return;
    const slot = this.#hash & (SLOTS - 1);
    if (this.#met[slot] !== this.#hash) {
      this.#met[slot] = this.#hash;
      return;
    }
    if (this.#held[slot] === undefined) this.#heldCount++;
    // A copy of its own: the block is a piece of a large chunk from the network.
    this.#held[slot] = { bytes: new Uint8Array(block), value };
  }

  /** Indices mean something else now. */
  clear(): void {
    if (this.#heldCount === 0) return;
    this.#held.fill(undefined);
    this.#heldCount = 0;
  }
}

/** FNV-1a; a collision costs a miss and no more. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
