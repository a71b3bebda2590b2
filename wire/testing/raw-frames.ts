// For tests: a peer of HTTP/2 that writes and reads bare frames, right ones and wrong ones.
import { EventEmitter, once } from 'node:events';
import type { ByteLink } from '../byte-link.ts';
import { NO_PSEUDO, type PseudoFields } from '../hpack/block.ts';
import { HpackEncoder } from '../hpack/encoder.ts';
import type { FrameEvents } from '../http2/frame-reader.ts';
import { FrameReader } from '../http2/frame-reader.ts';
import { ErrorCode, Flag, FrameType, PREFACE } from '../http2/protocol.ts';
import type { Fields } from '../message.ts';

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

const NONE = Buffer.alloc(0);

export function rawFrame(type: number, flags: number, id: number, payload: Buffer = NONE): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A block as an encoder that keeps nothing in its table would make it. */
export function block(pseudo: Partial<PseudoFields>, fields: Fields = []): Buffer {
  const encoded = new HpackEncoder({ tableBytesMax: 0 }).encode({ ...NO_PSEUDO, ...pseudo }, fields);
  if (!encoded.ok) throw new Error(encoded.error);
  return encoded.value;
}

export const GET: Partial<PseudoFields> = { method: 'GET', scheme: 'http', authority: 'a', path: '/' };
export const POST: Partial<PseudoFields> = { ...GET, method: 'POST' };

export const settings = () => rawFrame(FrameType.SETTINGS, 0, 0);

export function headers(id: number, payload: Buffer, flags: number = Flag.END_HEADERS): Buffer {
  return rawFrame(FrameType.HEADERS, flags, id, payload);
}

/** A request without body. */
export const get = (id: number) => headers(id, block(GET), Flag.END_HEADERS | Flag.END_STREAM);
/** The head of a request with a body. */
export const post = (id: number, fields: Fields = []) => headers(id, block(POST, fields));

export const opening = () => Buffer.concat([PREFACE, settings()]);

/** Keeps what the other end writes. */
export class RawPeer implements FrameEvents {
  readonly frames: RawFrame[] = [];
  isClosed = false;
  readonly #link: ByteLink;
  readonly #reader = new FrameReader(this);
  readonly #events = new EventEmitter();
  #prefaceLeft: number;
  #data: { flags: number; id: number; pieces: Buffer[] } = { flags: 0, id: 0, pieces: [] };

  constructor(link: ByteLink, isServer = false) {
    this.#link = link;
    this.#prefaceLeft = isServer ? PREFACE.length : 0;
    link.listen({
      data: (chunk) => this.#read(chunk),
      drained: () => undefined,
      ended: () => link.end(),
      closed: () => {
        this.isClosed = true;
        this.#events.emit('news');
      },
    });
  }

  send(...bytes: readonly Buffer[]): void {
    this.#link.write(Buffer.concat(bytes));
  }

  /** The first frame of a type, once it is there. */
  async awaited(type: number, id?: number): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find((frame) => frame.type === type && (id === undefined || frame.id === id));
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error(`the link closed before a frame of type ${type}`);
      await once(this.#events, 'news');
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await once(this.#events, 'news');
  }

  /** The code of the GOAWAY that ends the connection, or of the RST_STREAM of a stream. */
  async errorOf(id: number): Promise<string> {
    const frame = await this.awaited(id === 0 ? FrameType.GOAWAY : FrameType.RST_STREAM, id);
    const code = frame.payload.readUInt32BE(id === 0 ? 4 : 0);
    return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? String(code);
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start = 0, end = bytes.length): undefined {
    const payload = bytes.subarray(start, end);
    this.frames.push({ type, flags, id, payload: Buffer.from(payload) });
    this.#events.emit('news');
  }

  dataBegun(id: number, flags: number): undefined {
    this.#data = { flags, id, pieces: [] };
  }

  dataPiece(piece: Buffer): undefined {
    this.#data.pieces.push(piece);
  }

  dataEnded(): undefined {
    const { flags, id, pieces } = this.#data;
    this.frame(FrameType.DATA, flags, id, Buffer.concat(pieces));
  }

  #read(chunk: Buffer): void {
    const skipped = Math.min(this.#prefaceLeft, chunk.length);
    this.#prefaceLeft -= skipped;
    this.#reader.read(chunk.subarray(skipped));
  }
}
