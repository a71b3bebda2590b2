// A bound for all that many calls together make a program hold. Each of them is bounded by itself; how many there are is
// somebody else's choice.

export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there is room; if not, nothing is counted. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** What was taken is let go. */
  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
