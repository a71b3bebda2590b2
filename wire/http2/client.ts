// The client's end of a connection (RFC 9113): opens streams, and knows which of them the server has never looked at.
import type { Result } from '../../kit/result.ts';
import type { ByteLink } from '../byte-link.ts';
import { type DecodedBlock, type HpackError, NO_PSEUDO } from '../hpack/block.ts';
import { NOBODY, type Requester, type RequestHead, type ResponseReceiver, type WireFailure } from '../message.ts';
import { ClientStream } from './client-stream.ts';
import { type ConnectionEvents, type ConnectionOptions, Http2Connection } from './connection.ts';
import { listBytes, requestPseudo, withLength } from './heads.ts';
import { ErrorCode, errorName, exceeded, type Fault, malformed, PREFACE, STREAM_ID_MAX } from './protocol.ts';
import { Setting } from './settings.ts';
import type { Stream } from './stream.ts';

const STREAMS_MAX = 4096;

/** The head of a request is larger than its server takes; nothing was sent. */
export const HEAD_TOO_LARGE: WireFailure = { kind: 'limit', reason: 'head-is-larger-than-the-server-takes' };

/** Calls over the link, which nobody listens to yet. */
export function http2Client(
  link: ByteLink,
  events: ConnectionEvents,
  options: ConnectionOptions,
): Http2ClientConnection {
  const connection = new Http2ClientConnection(link, events, options);
  link.listen(connection);
  connection.begin();
  return connection;
}

export class Http2ClientConnection extends Http2Connection {
  readonly #streamsMax: number;
  #nextId = 1;
  /** Requests up to this one may have left this process. */
  #sentId = 0;
  #isRefusing = false;
  /** Of the last request. */
  #pseudo = NO_PSEUDO;

  constructor(link: ByteLink, events: ConnectionEvents, options: ConnectionOptions) {
    const streamsMax = options.streamsMax ?? STREAMS_MAX;
    super(link, events, options, streamsMax);
    this.#streamsMax = streamsMax;
  }

  begin(): void {
    this.outlet.raw(PREFACE);
    this.writeOwnSettings([[Setting.ENABLE_PUSH, 0]]);
  }

  /** Whether it takes requests at all. */
  get isUsable(): boolean {
    return this.life.phase === 'open' && !this.#isRefusing && this.#nextId <= STREAM_ID_MAX;
  }

  /** How many requests it takes now. */
  get streamsFree(): number {
    if (!this.isUsable) return 0;
    return Math.max(0, Math.min(this.#streamsMax, this.peer.streamsMax) - this.streams.size);
  }

  /** Whether extended CONNECT (RFC 8441) may be asked for. */
  get takesExtendedConnect(): boolean {
    return this.peer.isConnectProtocolEnabled;
  }

  /** Sends the head. The body follows from the requester; `end` in the same turn costs no frame. */
  request(head: RequestHead, receiver: ResponseReceiver): Requester {
    const refusal = this.#refusal(head);
    if (refusal !== undefined) return refuse(receiver, refusal);
    const id = this.#nextId;
    this.#pseudo = requestPseudo(head, this.#pseudo);
    const fields = withLength(head.fields, head.bodyBytes);
    // Some servers answer one that is too large with the end of the connection, and of every request on it.
    if (listBytes(this.#pseudo, fields) > this.peer.headListBytesMax) return refuse(receiver, HEAD_TOO_LARGE);
    const flaw = this.writeHeaders(id, this.#pseudo, fields, head.neverIndexed, false);
    if (flaw !== undefined) return refuse(receiver, { kind: 'malformed', reason: flaw });
    this.#nextId += 2;
    const stream = new ClientStream(id, this.peer.initialWindowBytes, this, head, receiver);
    this.streams.add(stream);
    if (this.#nextId > STREAM_ID_MAX) this.retire();
    return stream;
  }

  override drain(): void {
    if (this.life.phase !== 'open') return;
    this.life = { phase: 'draining' };
    this.writeGoaway(0, ErrorCode.NO_ERROR);
    this.retire();
  }

  override isIdle(id: number): boolean {
    return id >= this.#nextId || id % 2 === 0;
  }

  override onHeaders(id: number, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined {
    const stream = this.streams.get(id);
    if (stream === undefined)
      return this.isIdle(id) ? malformed('HEADERS of an idle stream') : this.offend('stray-frame-flood');
    const fault = receiveHeaders(stream, block, isEnd);
    return fault === undefined ? undefined : this.failStream(stream, fault);
  }

  /** It was given up here, or is complete: what the server had sent by then is no error. */
  override onDataOfClosed(): Fault | undefined {
    return this.offend('stray-frame-flood');
  }

  override onReset(): Fault | undefined {
    return undefined;
  }

  /** Streams beyond the last that the server names were not looked at, and may be sent elsewhere. */
  override onGoaway(lastId: number, code: number): Fault | undefined {
    this.#isRefusing = true;
    const failure: WireFailure = { kind: 'refused', reason: `GOAWAY with ${errorName(code)}` };
    for (const stream of this.streams.list()) {
      if (stream.id > lastId) stream.fail(failure);
    }
    if (this.life.phase === 'open') this.life = { phase: 'draining' };
    this.retire();
    this.outlet.schedule();
    return this.offend('settings-flood');
  }

  override beforeWrite(): void {
    this.#sentId = this.#nextId - 2;
  }

  protected override isDrained(): boolean {
    return true;
  }

  protected override failureOf(stream: Stream, failure: WireFailure): WireFailure {
    return stream.id > this.#sentId ? { kind: 'refused', reason: `unsent: ${failure.reason}` } : failure;
  }

  #refusal(head: RequestHead): WireFailure | undefined {
    if (!this.isUsable) return { kind: 'refused', reason: 'the connection takes no new streams' };
    if (this.streamsFree === 0) return { kind: 'refused', reason: 'as many streams as allowed are open' };
    if (head.upgrade !== undefined && !this.takesExtendedConnect)
      return { kind: 'refused', reason: 'the server takes no extended CONNECT' };
    return undefined;
  }
}

/** Answers without a stream; abort comes before this returns (E4). */
function refuse(receiver: ResponseReceiver, failure: WireFailure): Requester {
  receiver.abort(failure);
  return NOBODY;
}

function receiveHeaders(stream: Stream, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined {
  if (!block.ok) return block.error.kind === 'limit' ? exceeded(block.error.reason) : malformed(block.error.reason);
  return stream instanceof ClientStream ? stream.receiveHeaders(block.value, isEnd) : undefined;
}
