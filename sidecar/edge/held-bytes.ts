// A bound for all that the calls of one port make the sidecar hold together. Each of them is bounded by itself; how many there
// are is the clients' choice.

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
