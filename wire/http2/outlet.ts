// The way out: frames of one turn of the event loop leave in one write.
//
// The first frame of a turn schedules a flush in the loop's check phase, which comes right after all sockets that were
// readable have been read. A write costs a system call and a TLS record, many times what its bytes cost; so frames are
// copied into a slab, payloads too.
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import type { ByteLink } from '../byte-link.ts';
import { Slab } from '../slabs.ts';
import { byteAt, Flag, FRAME_HEAD_BYTES, FrameType, writeUint32 } from './protocol.ts';

export interface OutletEvents {
  /** By the end of a turn, while frames can still be added. */
  beforeFlush(): void;
  /** All frames so far are handed to the link. */
  beforeWrite(): void;
}

export class Outlet implements TurnTask {
  readonly #link: ByteLink;
  readonly #events: OutletEvents;
  #slab: Slab | undefined;
  #at = 0;
  #isScheduled = false;
  #isClosed = false;
  #isFull = false;
  #bytesWhileFull = 0;
  /** Where the flags of the last frame of a message are, while they can still be changed. */
  #lastFlagsAt = -1;
  #lastId = 0;

  constructor(link: ByteLink, events: OutletEvents) {
    this.#link = link;
    this.#events = events;
  }

  /** The link has more than enough to send: no DATA until it has drained. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** What was written though the link was full: answers to a peer that asks and does not read. */
  get bytesWhileFull(): number {
    return this.#bytesWhileFull;
  }

  drained(): void {
    this.#isFull = false;
    this.#bytesWhileFull = 0;
  }

  /** A frame whose payload is at hand. */
  frame(type: number, flags: number, id: number, payload: Buffer, start = 0, end = payload.length): void {
    const at = this.#room(type, flags, id, end - start);
    const slab = this.#slab;
    if (slab === undefined) return;
    copyInto(slab.bytes, at, payload, start, end);
    if (type === FrameType.DATA || type === FrameType.HEADERS) {
      this.#lastFlagsAt = at - 5;
      this.#lastId = id;
    }
  }

  /** RST_STREAM and WINDOW_UPDATE: a frame of one number. */
  number(type: number, id: number, value: number): void {
    const at = this.#room(type, 0, id, 4);
    if (this.#slab !== undefined) writeUint32(this.#slab.bytes, at, value);
  }

  raw(bytes: Buffer): void {
    this.#reserve(bytes.length);
    const slab = this.#slab;
    if (slab === undefined) return;
    bytes.copy(slab.bytes, this.#at);
    this.#at += bytes.length;
  }

  /**
   * Lets the last frame of a message end it, if it has not left yet: saves a frame, and the peer a look at it, wherever
   * the end follows in the same turn.
   */
  endWithLast(id: number): boolean {
    const slab = this.#slab;
    if (slab === undefined || this.#lastFlagsAt < 0 || this.#lastId !== id) return false;
    slab.bytes[this.#lastFlagsAt] = (slab.bytes[this.#lastFlagsAt] ?? 0) | Flag.END_STREAM;
    this.#lastFlagsAt = -1;
    return true;
  }

  /** There is something to flush by the end of this turn. */
  schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    atTurnEnd(this);
  }

  turnOver(): void {
    this.#isScheduled = false;
    this.flush();
  }

  flush(): void {
    if (!this.#isClosed) this.#events.beforeFlush();
    this.#write();
  }

  /** Takes no more; what it has is thrown away. */
  close(): void {
    this.#isClosed = true;
    this.#dropSlab();
  }

  #room(type: number, flags: number, id: number, payloadBytes: number): number {
    this.#reserve(FRAME_HEAD_BYTES + payloadBytes);
    const slab = this.#slab;
    if (slab === undefined) return 0;
    const at = this.#at;
    const { bytes } = slab;
    writeUint32(bytes, at, (payloadBytes << 8) | type);
    bytes[at + 4] = flags;
    writeUint32(bytes, at + 5, id);
    this.#at = at + FRAME_HEAD_BYTES + payloadBytes;
    return at + FRAME_HEAD_BYTES;
  }

  /** After it, a slab with room, unless the outlet is closed. */
  #reserve(bytes: number): void {
    if (this.#isClosed) return;
    if (this.#slab !== undefined && this.#slab.bytes.length - this.#at < bytes) this.#write();
    if (this.#slab === undefined) {
      this.#slab = Slab.take(bytes);
      this.#at = this.#slab.used;
    }
    if (this.#isFull) this.#bytesWhileFull += bytes;
    this.schedule();
  }

  #write(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    this.#slab = undefined;
    this.#lastFlagsAt = -1;
    this.#events.beforeWrite();
    if (!slab.write(this.#link, this.#at)) this.#isFull = true;
  }

  #dropSlab(): void {
    this.#slab?.drop();
    this.#slab = undefined;
    this.#lastFlagsAt = -1;
  }
}

/** So few bytes are copied faster one by one than by a call of the platform: header blocks, nearly all of them. */
const CRUMB_BYTES_MAX = 32;

function copyInto(to: Buffer, at: number, from: Buffer, start: number, end: number): void {
  if (end - start > CRUMB_BYTES_MAX) from.copy(to, at, start, end);
  else for (let i = start; i < end; i++) to[at++] = byteAt(from, i);
}
