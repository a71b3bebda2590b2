// gRPC's length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): five bytes, then the message.
import { err, ok, type Result } from '../kit/result.ts';

const PREFIX_BYTES = 5;

export function frameMessage(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  writePrefix(frame, message.length);
  message.copy(frame, PREFIX_BYTES);
  return frame;
}

/**
 * The frame of a message whose front is a byte string and whose end may follow in a buffer: copied into the frame, or,
 * with `isRestApart`, left to be sent after it as it is.
 */
export function frameText(front: string, rest: Buffer | undefined, isRestApart: boolean): Buffer {
  const restBytes = rest?.length ?? 0;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + front.length + (isRestApart ? 0 : restBytes));
  writePrefix(frame, front.length + restBytes);
  frame.write(front, PREFIX_BYTES, 'latin1');
  if (!isRestApart) rest?.copy(frame, PREFIX_BYTES + front.length);
  return frame;
}

/** The beginning of a frame: the front of a message that ends with `restBytes` more, which are sent after it. */
export function frameFront(front: string, restBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + front.length);
  writePrefix(frame, front.length + restBytes);
  frame.write(front, PREFIX_BYTES, 'latin1');
  return frame;
}

function writePrefix(frame: Buffer, messageBytes: number): void {
  frame[0] = 0;
  frame.writeUInt32BE(messageBytes, 1);
}

export type FrameError = 'compressed' | 'too-large';

/** The front of a message of `messageBytes`. */
export interface BegunMessage {
  readonly bytes: Buffer;
  readonly messageBytes: number;
}

const CRUMBS = 64;
const CRUMB_BYTES_MAX = 4096;
/** What is less than this part of the buffer that it keeps alive is copied out. */
const SHARE_MIN = 1 / 4;

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
    if (this.#heldBytes === 0 && this.#isOneMessage(chunk)) return ok([chunk.subarray(PREFIX_BYTES)]);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#mergeCrumbs();
    const messages = this.#cut();
    this.#copyOut();
    return messages;
  }

  /** The message that was begun and is not whole yet, as far as it is here in one piece; undefined where it is not. */
  get begun(): BegunMessage | undefined {
    const [first, second] = this.#held;
    if (first === undefined || second !== undefined || first.length < PREFIX_BYTES) return undefined;
    return { bytes: first.subarray(PREFIX_BYTES), messageBytes: first.readUInt32BE(1) };
  }

  /** What was begun is finished by somebody else, who is also given the rest of it. */
  letGo(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** Bytes of a message that was begun and is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether the stream may end here: no message was begun and not finished. */
  get isBetweenMessages(): boolean {
    return this.#heldBytes === 0;
  }

  /** What a small call is, in either direction. */
  #isOneMessage(chunk: Buffer): boolean {
    if (chunk.length < PREFIX_BYTES || chunk[0] !== 0) return false;
    const length = chunk.readUInt32BE(1);
    return length === chunk.length - PREFIX_BYTES && length <= this.#messageBytesMax;
  }

  #cut(): Result<readonly Buffer[], FrameError> {
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

  /** A peer decides how its bytes are cut: a few that are held must not keep the whole chunk in which they came. */
  #copyOut(): void {
    const last = this.#held.at(-1);
    if (last === undefined || last.length >= last.buffer.byteLength * SHARE_MIN) return;
    const copy = Buffer.allocUnsafeSlow(last.length);
    last.copy(copy);
    this.#held[this.#held.length - 1] = copy;
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
