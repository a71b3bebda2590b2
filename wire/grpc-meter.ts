// How long gRPC's length-prefixed messages are, seen as their bytes pass: nothing is held, cut or decoded.
const PREFIX_BYTES = 5;

export class GrpcMeter {
  readonly #messageBytesMax: number;
  /** What is still to pass of the message under way. */
  #leftBytes = 0;
  /** How much of the next prefix has passed: the flag, then the length, most significant byte first. */
  #prefixBytes = 0;
  #length = 0;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether every message that has begun by the end of `chunk` keeps to the limit. */
  pass(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#leftBytes > 0) {
        const bytes = Math.min(this.#leftBytes, chunk.length - at);
        this.#leftBytes -= bytes;
        at += bytes;
        continue;
      }
      if (this.#prefixBytes > 0) this.#length = this.#length * 256 + (chunk[at] ?? 0);
      this.#prefixBytes += 1;
      at += 1;
      if (this.#prefixBytes < PREFIX_BYTES) continue;
      if (this.#length > this.#messageBytesMax) return false;
      this.#leftBytes = this.#length;
      this.#prefixBytes = 0;
      this.#length = 0;
    }
    return true;
  }
}
