// How much is held of one call whose messages have to be whole before they go on, within the bound for all such calls.
import type { HeldBytes } from './held-bytes.ts';

/** Each call holds as much as this without being counted, as any call does: small ones pass while large ones fill the room. */
const FREE_BYTES = 64 * 1024;

export class Hold {
  readonly #all: HeldBytes;
  #bytes = 0;
  #counted = 0;

  constructor(all: HeldBytes) {
    this.#all = all;
  }

  /** False where there is no room; then nothing more is to be held of the call. */
  take(bytes: number): boolean {
    this.#bytes += bytes;
    const more = Math.max(0, this.#bytes - FREE_BYTES) - this.#counted;
    if (!this.#all.take(more)) return false;
    this.#counted += more;
    return true;
  }

  release(): void {
    this.#all.give(this.#counted);
    this.#bytes = 0;
    this.#counted = 0;
  }
}
