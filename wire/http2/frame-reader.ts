// Bytes to frames. The payload of DATA is handed on in the pieces in which it arrives, so that a body is never copied
// and never waits for the rest of its frame; every other frame is handed on whole.
import { checkFrame } from './frame-check.ts';
import { byteAt, ErrorCode, type Fault, Flag, FRAME_HEAD_BYTES, FrameType, malformed, readUint31 } from './protocol.ts';

/** A fault that is returned ends the reading. */
export interface FrameEvents {
  /** Any frame but DATA. The payload is that part of the bytes; to be looked at, it needs no view of its own. */
  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): Fault | undefined;
  /** `bytes` is what flow control counts: the payload with its padding. */
  dataBegun(id: number, flags: number, bytes: number): Fault | undefined;
  dataPiece(piece: Buffer): Fault | undefined;
  dataEnded(): Fault | undefined;
}

export class FrameReader {
  readonly #events: FrameEvents;
  #fault: Fault | undefined;
  #isStopped = false;
  // The head that is being read, or was read last.
  readonly #head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
  #headBytes = 0;
  #type = 0;
  #flags = 0;
  #id = 0;
  #length = 0;
  /** The payload of a frame that arrives in several chunks. */
  #payload: Buffer | undefined;
  #payloadBytes = 0;
  // Within DATA.
  #isInData = false;
  #isPadNext = false;
  #dataLeft = 0;
  #padLeft = 0;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** The fault with which reading came to its end, if it did. */
  read(chunk: Buffer): Fault | undefined {
    let at = 0;
    while (at < chunk.length && !this.#isStopped && this.#fault === undefined) {
      if (this.#isInData) at = this.#readData(chunk, at);
      else if (this.#payload !== undefined) at = this.#gatherPayload(this.#payload, chunk, at);
      else at = this.#readHead(chunk, at);
    }
    return this.#fault;
  }

  /** Whatever follows is not read, in this chunk either. */
  stop(): void {
    this.#isStopped = true;
  }

  #readHead(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#headBytes === 0 && chunk.length - at >= FRAME_HEAD_BYTES) {
      this.#decodeHead(chunk, at);
      at += FRAME_HEAD_BYTES;
    } else {
      const taken = chunk.copy(this.#head, this.#headBytes, at);
      this.#headBytes += taken;
      at += taken;
      if (this.#headBytes < FRAME_HEAD_BYTES) return at;
      this.#headBytes = 0;
      this.#decodeHead(this.#head, 0);
    }
    this.#fault = checkFrame(this.#type, this.#flags, this.#id, this.#length);
    if (this.#fault !== undefined) return at;
    return this.#type === FrameType.DATA ? this.#beginData(at) : this.#beginPayload(chunk, at);
  }

  #decodeHead(bytes: Buffer, at: number): void {
    this.#length = (byteAt(bytes, at) << 16) | (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2);
    this.#type = byteAt(bytes, at + 3);
    this.#flags = byteAt(bytes, at + 4);
    this.#id = readUint31(bytes, at + 5);
  }

  #beginPayload(chunk: Buffer, at: number): number {
    const end = at + this.#length;
    if (end <= chunk.length) {
      this.#fault = this.#events.frame(this.#type, this.#flags, this.#id, chunk, at, end);
      return end;
    }
    this.#payload = Buffer.allocUnsafe(this.#length);
    this.#payloadBytes = 0;
    return at;
  }

  #gatherPayload(payload: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(payload, this.#payloadBytes, at);
    this.#payloadBytes += taken;
    if (this.#payloadBytes === payload.length) {
      this.#payload = undefined;
      this.#fault = this.#events.frame(this.#type, this.#flags, this.#id, payload, 0, payload.length);
    }
    return at + taken;
  }

  #beginData(at: number): number {
    this.#isPadNext = (this.#flags & Flag.PADDED) !== 0;
    if (this.#isPadNext && this.#length === 0)
      this.#fault = malformed('padded DATA without a length of its padding', ErrorCode.FRAME_SIZE_ERROR);
    else this.#fault = this.#events.dataBegun(this.#id, this.#flags, this.#length);
    if (this.#fault !== undefined) return at;
    this.#dataLeft = this.#length;
    this.#padLeft = 0;
    this.#isInData = true;
    this.#endDataWhenRead();
    return at;
  }

  #readData(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#isPadNext) {
      this.#isPadNext = false;
      this.#padLeft = chunk.readUInt8(at);
      this.#dataLeft -= 1 + this.#padLeft;
      at += 1;
      if (this.#dataLeft < 0) {
        this.#fault = malformed('DATA with more padding than payload');
        return at;
      }
    }
    const end = at + Math.min(this.#dataLeft, chunk.length - at);
    if (end > at) {
      this.#dataLeft -= end - at;
      this.#fault = this.#events.dataPiece(chunk.subarray(at, end));
      if (this.#fault !== undefined) return end;
    }
    at = end;
    if (this.#dataLeft === 0) {
      const skipped = Math.min(this.#padLeft, chunk.length - at);
      this.#padLeft -= skipped;
      at += skipped;
    }
    this.#endDataWhenRead();
    return at;
  }

  #endDataWhenRead(): void {
    if (this.#dataLeft > 0 || this.#padLeft > 0) return;
    this.#isInData = false;
    if (!this.#isStopped) this.#fault = this.#events.dataEnded();
  }
}
