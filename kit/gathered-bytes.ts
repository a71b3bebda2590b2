// A body that has to be whole before anything can be done with it, up to a limit: pieces are copied into one buffer that grows,
// so that it costs what it holds, however small the pieces are that somebody cuts it into.

const FIRST_BYTES = 4096;
const NO_BYTES = Buffer.alloc(0);

export class GatheredBytes {
  readonly #bytesMax: number;
  #buffer: Buffer = NO_BYTES;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether there was room for all of it; if not, nothing is kept of it. */
  push(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#bytesMax) return false;
    if (length > this.#buffer.length) this.#grow(length);
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
    return true;
  }

  /** All of it, once; there is nothing left here. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
    return bytes;
  }

  #grow(length: number): void {
    const roomy = Math.min(Math.max(this.#buffer.length * 2, FIRST_BYTES), this.#bytesMax);
    const larger = Buffer.allocUnsafeSlow(Math.max(length, roomy));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
