// One exchange on a connection: what of it may be sent and received in which state, and what its owner hears.
//
//   S1. A stream is in the table of its connection until it is closed; idle ones are nowhere.
//   S2. Its owner hears of one end: `end`, or one of `abort` and `cancel`; nothing at all once it has given up itself.
//   S3. Bytes wait here while the owner has paused, never more than the window; credit returns when the owner took them.
//   S4. A complete message is handed on to its end, also when the stream or the connection is gone by then.
import type { FieldFlaw } from '../fields.ts';
import { type NeverIndexed, NO_PSEUDO, type PseudoFields } from '../hpack/block.ts';
import { type Fields, type Flow, NOBODY, type Pushed, type Steering, type WireFailure } from '../message.ts';
import { Chunks } from './chunks.ts';
import { growWindow, releaseWindow, STREAM_WINDOW_BYTES, type StreamWindow, type WindowBudget } from './flow.ts';
import { ErrorCode, type Fault, malformed, PAYLOAD_BYTES_MAX } from './protocol.ts';
import { Sender, type SendQueue } from './send-queue.ts';
import type { Tabled } from './stream-table.ts';

/** RFC 9113, 5.1. Nothing is pushed, so nothing is reserved. */
export type StreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly queue: SendQueue;
  readonly budget: WindowBudget;
  /** A head or, with `isEnd`, trailers; what is wrong with the fields, if nothing could be written. */
  writeHeaders(
    id: number,
    pseudo: PseudoFields,
    fields: Fields,
    neverIndexed: NeverIndexed | undefined,
    isEnd: boolean,
  ): FieldFlaw | undefined;
  /** Lets the last frame of the stream, or an empty one, end it. */
  writeEnd(id: number): void;
  writeReset(id: number, code: number): void;
  writeCredit(id: number, bytes: number): void;
  /** `writeDueCredit` is to be called once by the end of the turn, however often this is said. */
  creditIsDue(stream: Stream): void;
  /** The stream is closed. */
  gone(stream: Stream): void;
}

export type Receiver = Pushed & Steering;

export const NO_FIELDS: Fields = [];
/** Of a body whose length is not known. */
const UNKNOWN = -1;

export abstract class Stream extends Sender implements Pushed, Steering, StreamWindow, Tabled<Stream> {
  state: StreamState = 'open';
  nextInTable: Stream | undefined;
  windowLeft = STREAM_WINDOW_BYTES;
  windowBytes = STREAM_WINDOW_BYTES;
  windowOwed = 0;
  /** DATA may come: there was a head. */
  expectsData = false;
  protected readonly host: StreamHost;
  protected receiver: Receiver = NOBODY;
  /** What is still to come of a body of declared length. */
  #bodyLeft = UNKNOWN;
  /** No more is handed on: the rest of the message is not wanted. */
  #isDeaf = false;
  #isPaused = false;
  /** What the receiver took when it said `pause`. */
  #takenWhenPaused = 0;
  #held: Chunks | undefined;
  /** The end that comes after what is held. */
  #heldEnd: Fields | undefined;
  /** The receiver keeps up: the window may grow with the next credit. */
  #mayGrow = false;

  constructor(id: number, sendWindow: number, host: StreamHost) {
    super(id, sendWindow);
    this.host = host;
  }

  // What the owner says.

  data(chunk: Buffer): Flow {
    return this.maySend() ? this.host.queue.data(this, chunk) : 'ok';
  }

  end(trailers: Fields): void {
    if (this.maySend()) this.host.queue.end(this, trailers);
  }

  abstract abort(failure: WireFailure): void;
  abstract cancel(failure: WireFailure): void;

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const taken = this.#takenWhenPaused;
    this.#takenWhenPaused = 0;
    this.#returnCredit(taken);
    const held = this.#held;
    while (held !== undefined && held.bytes > 0 && !this.#isPaused && !this.#isDeaf)
      this.#forward(held.take(PAYLOAD_BYTES_MAX), false);
    if (held === undefined || held.bytes > 0 || this.#isDeaf) return;
    this.#held = undefined;
    this.#deliverHeldEnd();
  }

  // What the connection says.

  /** The head of DATA has arrived; what is wrong with it is an error of the stream alone. */
  receiveDataHead(bytes: number): Fault | undefined {
    if (this.state === 'half-closed-remote')
      return malformed('DATA after the end of the stream', ErrorCode.STREAM_CLOSED);
    if (!this.expectsData) return malformed('DATA before a head');
    this.windowLeft -= bytes;
    return this.windowLeft < 0 ? malformed('DATA beyond the window', ErrorCode.FLOW_CONTROL_ERROR) : undefined;
  }

  receiveData(piece: Buffer): Fault | undefined {
    // The owner may have given up since the frame began.
    if (this.state === 'closed') return undefined;
    if (this.#bodyLeft !== UNKNOWN) {
      this.#bodyLeft -= piece.length;
      if (this.#bodyLeft < 0) return malformed('more body than declared');
    }
    if (this.#isDeaf) return undefined;
    if (!this.#isPaused && this.#held === undefined) {
      this.#forward(piece, true);
      return undefined;
    }
    this.#held ??= new Chunks();
    this.#held.push(piece);
    return undefined;
  }

  receivePadding(bytes: number): void {
    this.#returnCredit(bytes);
  }

  receiveEnd(trailers: Fields): Fault | undefined {
    if (this.state === 'closed') return undefined;
    if (this.#bodyLeft > 0) return malformed('less body than declared');
    if (this.state === 'open') this.state = 'half-closed-remote';
    else this.close();
    this.onRemoteEnd();
    if (this.#isDeaf) return undefined;
    if (this.#held === undefined) this.receiver.end(trailers);
    else this.#heldEnd = trailers;
    return undefined;
  }

  /** The stream ends before its time: by the far side, or with the connection. */
  fail(failure: WireFailure): void {
    if (this.state === 'closed') return;
    const isIncomingOver = this.state === 'half-closed-remote' || this.#isDeaf;
    this.close();
    this.hearNoMore();
    if (!this.isOwnerDone()) this.#tell(failure, isIncomingOver);
  }

  /** The window that the far side opens was more than a window can be, or the stream is gone: nothing follows. */
  reset(code: number): void {
    if (this.state === 'closed') return;
    this.host.writeReset(this.id, code);
    this.close();
    this.hearNoMore();
  }

  // What the queue says.

  sourceMayGoOn(): void {
    this.receiver.resume();
  }

  writeEnd(): void {
    const { trailers } = this;
    if (trailers === undefined || trailers.length === 0) this.host.writeEnd(this.id);
    else if (!this.#writeTrailers(trailers)) return;
    if (this.state === 'open') this.state = 'half-closed-local';
    else this.close();
    this.onLocalEnd();
  }

  // What the two kinds of streams differ in.

  /** There is a head, and no end yet. */
  protected maySend(): boolean {
    return this.trailers === undefined && (this.state === 'open' || this.state === 'half-closed-remote');
  }

  /** The owner expects to hear nothing more. */
  protected abstract isOwnerDone(): boolean;
  protected abstract onRemoteEnd(): void;
  protected abstract onLocalEnd(): void;

  protected expectBody(declaredBytes: number | undefined): void {
    this.expectsData = true;
    this.#bodyLeft = declaredBytes ?? UNKNOWN;
  }

  protected hearNoMore(): void {
    this.#isDeaf = true;
    this.#held = undefined;
    this.#heldEnd = undefined;
  }

  protected close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.host.queue.forget(this);
    releaseWindow(this, this.host.budget);
    this.host.gone(this);
  }

  #tell(failure: WireFailure, isIncomingOver: boolean): void {
    if (isIncomingOver) this.receiver.cancel(failure);
    else this.receiver.abort(failure);
  }

  #writeTrailers(trailers: Fields): boolean {
    const flaw = this.host.writeHeaders(this.id, NO_PSEUDO, trailers, undefined, true);
    if (flaw !== undefined) this.reset(ErrorCode.INTERNAL_ERROR);
    return flaw === undefined;
  }

  #forward(piece: Buffer, mayGrow: boolean): void {
    const bytes = piece.length;
    if (this.receiver.data(piece) === 'ok') {
      this.#returnCredit(bytes, mayGrow);
      return;
    }
    this.#isPaused = true;
    this.#takenWhenPaused += bytes;
  }

  /** Few frames of credit: none while half of the window is open, or all that is still to come has room in it. */
  #returnCredit(bytes: number, mayGrow = false): void {
    this.windowOwed += bytes;
    if (this.windowOwed === 0 || this.windowOwed < this.windowBytes / 2) return;
    if (!this.#expectsMore) return;
    if (mayGrow) this.#mayGrow = true;
    this.host.creditIsDue(this);
  }

  /** By the end of a turn: by then most bodies that fit into the window have come to their ends, and need no credit. */
  writeDueCredit(): void {
    if (!this.#expectsMore) return;
    if (this.#mayGrow) growWindow(this, this.host.budget);
    this.#mayGrow = false;
    this.host.writeCredit(this.id, this.windowOwed);
    this.windowLeft += this.windowOwed;
    this.windowOwed = 0;
  }

  get #expectsMore(): boolean {
    if (this.state === 'half-closed-remote' || this.state === 'closed') return false;
    return this.#bodyLeft === UNKNOWN || this.#bodyLeft > this.windowLeft;
  }

  #deliverHeldEnd(): void {
    const trailers = this.#heldEnd;
    if (trailers === undefined) return;
    this.#heldEnd = undefined;
    this.receiver.end(trailers);
  }
}
