// As much of WebSocket (RFC 6455, 5.2) as it takes to close somebody else's: where a frame ends, and one frame of our own.

const MASKED = 0x80;
const CLOSE = 0x88;
const CONTROL_BYTES_MAX = 125;

/** Goes along with the bytes of one direction, and knows when they are between two frames. */
export class FrameMeter {
  /** Of the head of the frame that is under way: at most 14. */
  readonly #head = Buffer.alloc(14);
  #headBytes = 0;
  #payloadBytesLeft = 0;

  get isBetweenFrames(): boolean {
    return this.#headBytes === 0 && this.#payloadBytesLeft === 0;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadBytesLeft > 0) {
        const taken = Math.min(this.#payloadBytesLeft, chunk.length - at);
        this.#payloadBytesLeft -= taken;
        at += taken;
      } else {
        this.#head[this.#headBytes++] = chunk[at++] ?? 0;
        if (this.#headBytes === this.#headBytesNeeded()) this.#beginPayload();
      }
    }
  }

  /** As far as what is there tells. */
  #headBytesNeeded(): number {
    if (this.#headBytes < 2) return 2;
    const second = this.#head.readUInt8(1);
    return 2 + lengthBytes(second) + (second & MASKED ? 4 : 0);
  }

  #beginPayload(): void {
    const second = this.#head.readUInt8(1);
    const short = second & ~MASKED;
    const bytes = lengthBytes(second);
    if (bytes === 0) this.#payloadBytesLeft = short;
    else this.#payloadBytesLeft = bytes === 2 ? this.#head.readUInt16BE(2) : Number(this.#head.readBigUInt64BE(2));
    this.#headBytes = 0;
  }
}

function lengthBytes(second: number): number {
  const short = second & ~MASKED;
  return short === 126 ? 2 : short === 127 ? 8 : 0;
}

/**
 * A close frame. Servers take only masked ones; the mask is there so that no web page decides what stands on the wire, and here
 * nobody else decides, so it is nought.
 */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const said = Buffer.from(reason).subarray(0, CONTROL_BYTES_MAX - 2);
  const head = isMasked ? [CLOSE, MASKED | (2 + said.length), 0, 0, 0, 0] : [CLOSE, 2 + said.length];
  return Buffer.concat([Buffer.from([...head, code >> 8, code & 0xff]), said]);
}
