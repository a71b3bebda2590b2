// gRPC's length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): five bytes, then the message.
import { err, ok, type Result } from '../kit/result.ts';

const PREFIX_BYTES = 5;

export function frameMessage(message: Buffer): Buffer {
  return frameFront(message, 0);
}

/** The frame of a message of which only the front is at hand; `restBytes` more of it follow, unframed. */
export function frameFront(front: Buffer, restBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + front.length);
  frame[0] = 0;
  frame.writeUInt32BE(front.length + restBytes, 1);
  front.copy(frame, PREFIX_BYTES);
  return frame;
}

export type FrameError = 'compressed' | 'too-large';

const CRUMBS = 64;
const CRUMB_BYTES_MAX = 4096;

/** Cuts a byte stream into messages. A length beyond the limit is refused before anything is set aside for it. */
export class FrameReader {
  readonly #messageBytesMax: number;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** The messages that are whole now that `chunk` has arrived. */
  push(chunk: Buffer): Result<readonly Buffer[], FrameError> {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#mergeCrumbs();
    const messages: Buffer[] = [];
    for (;;) {
      if (this.#heldBytes < PREFIX_BYTES) return ok(messages);
      const prefix = this.#contiguous(PREFIX_BYTES);
      if (prefix[0] !== 0) return err('compressed');
      const length = prefix.readUInt32BE(1);
      if (length > this.#messageBytesMax) return err('too-large');
      if (this.#heldBytes < PREFIX_BYTES + length) return ok(messages);
      messages.push(this.#take(PREFIX_BYTES + length).subarray(PREFIX_BYTES));
    }
  }

  /** Bytes of a message that was begun and is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether the stream may end here: no message was begun and not finished. */
  get isBetweenMessages(): boolean {
    return this.#heldBytes === 0;
  }

  /** The held bytes with at least the first `bytes` of them in one piece. */
  #contiguous(bytes: number): Buffer {
    const [first] = this.#held;
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#held);
    this.#held = [joined];
    return joined;
  }

  /** A buffer costs far more than the byte that it may hold: a row of small ones becomes one, level by level. */
  #mergeCrumbs(): void {
    if (this.#held.length < CRUMBS || this.#held.length % CRUMBS !== 0) return;
    const tail = this.#held.slice(-CRUMBS);
    if (tail.some((buffer) => buffer.length > CRUMB_BYTES_MAX)) return;
    this.#held.splice(-CRUMBS, CRUMBS, Buffer.concat(tail));
  }

  #take(bytes: number): Buffer {
    const joined = this.#contiguous(bytes);
    const rest = joined.subarray(bytes);
    this.#held = this.#held.slice(1);
    if (rest.length > 0) this.#held.unshift(rest);
    this.#heldBytes -= bytes;
    return joined.subarray(0, bytes);
  }
}
