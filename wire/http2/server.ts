// The server's end of a connection (RFC 9113): takes streams, and ends in two steps.
//
// Drain: GOAWAY that refuses nothing yet, a PING; when that has come back, every request that was under way is here, and
// the final GOAWAY names the last of them (RFC 9113, 6.8). So no request is lost to a drain.
import type { Result } from '../../kit/result.ts';
import type { ByteLink } from '../byte-link.ts';
import type { DecodedBlock, HpackError } from '../hpack/block.ts';
import { NOBODY, type Refusal, type RequestHead, type Serve, type WireFailure } from '../message.ts';
import { type ConnectionEvents, type ConnectionOptions, Http2Connection } from './connection.ts';
import { readRequest, readTrailers } from './heads.ts';
import { ErrorCode, exceeded, type Fault, malformed, PREFACE, STREAM_ID_MAX } from './protocol.ts';
import { ServerStream } from './server-stream.ts';
import { Setting } from './settings.ts';
import { NO_FIELDS, type Stream } from './stream.ts';

export interface ServerOptions extends ConnectionOptions {
  /** After an Upgrade to h2c: the request that asked for it, whole, and the payload of its HTTP2-Settings. */
  readonly upgraded?: { readonly request: RequestHead; readonly settings: Buffer };
  /** Whether extended CONNECT (RFC 8441) is offered; false where whoever serves would refuse it. */
  readonly offersTunnels?: boolean;
  /** What is answered to a head that is larger than one may be; by default a status alone. */
  readonly refusal?: (failure: WireFailure, status: number) => Refusal;
}

const STREAMS_MAX = 256;
const NO_BYTES = Buffer.alloc(0);
/** In place of a head that was too large to be kept. */
const UNREAD: RequestHead = {
  ...{ method: 'GET', target: '', authority: undefined, scheme: undefined, fields: NO_FIELDS },
  ...{ bodyBytes: undefined, upgrade: undefined, expectsContinue: false },
};

/** Serves what comes over the link, which nobody listens to yet. */
export function http2Server(
  link: ByteLink,
  serve: Serve,
  events: ConnectionEvents,
  options: ServerOptions,
): Http2ServerConnection {
  const connection = new Http2ServerConnection(link, serve, events, options);
  link.listen(connection);
  connection.begin(options.upgraded);
  return connection;
}

export class Http2ServerConnection extends Http2Connection {
  readonly #serve: Serve;
  readonly #streamsMax: number;
  readonly #offersTunnels: boolean;
  readonly #refusal: (failure: WireFailure, status: number) => Refusal;
  #prefaceRead = 0;
  /** Streams beyond are not looked at: set by the final GOAWAY. */
  #acceptedMax = STREAM_ID_MAX;

  constructor(link: ByteLink, serve: Serve, events: ConnectionEvents, options: ServerOptions) {
    const streamsMax = options.streamsMax ?? STREAMS_MAX;
    super(link, events, options, streamsMax);
    this.#serve = serve;
    this.#streamsMax = streamsMax;
    this.#offersTunnels = options.offersTunnels ?? false;
    this.#refusal = options.refusal ?? bareRefusal;
  }

  /** Of the streams that the client has opened so far; it tells whether it has opened any since it was looked at before. */
  get lastStreamId(): number {
    return this.lastPeerId;
  }

  begin(upgraded: ServerOptions['upgraded']): void {
    this.writeOwnSettings([
      [Setting.MAX_CONCURRENT_STREAMS, this.#streamsMax],
      ...(this.#offersTunnels ? [[Setting.ENABLE_CONNECT_PROTOCOL, 1] as const] : []),
    ]);
    if (upgraded === undefined) return;
    // Settings that came in a field of the request are not acknowledged (RFC 7540, 3.2.1).
    const fault = this.applyPeerSettings(upgraded.settings);
    if (fault !== undefined) {
      this.destroy(fault.failure);
      return;
    }
    this.lastPeerId = 1;
    this.#open(1, upgraded.request)?.receiveEnd(NO_FIELDS);
  }

  override drain(): void {
    if (this.life.phase !== 'open') return;
    this.life = { phase: 'draining' };
    this.writeGoaway(STREAM_ID_MAX, ErrorCode.NO_ERROR);
    this.ping(() => {
      if (this.life.phase !== 'draining') return;
      this.#acceptedMax = this.lastPeerId;
      this.writeGoaway(this.lastPeerId, ErrorCode.NO_ERROR);
    });
    this.retire();
  }

  override isIdle(id: number): boolean {
    return id > this.lastPeerId || id % 2 === 0;
  }

  override onHeaders(id: number, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined {
    const stream = this.streams.get(id);
    if (stream !== undefined) return this.#onTrailers(stream, block, isEnd);
    if (id % 2 === 0) return malformed('HEADERS on a stream of even number');
    if (id <= this.lastPeerId) return this.#onHeadersOfClosed(id);
    this.lastPeerId = id;
    if (id > this.#acceptedMax) return undefined;
    if (this.streams.size >= this.#streamsMax) return this.#refuse(id, ErrorCode.REFUSED_STREAM);
    if (!block.ok)
      return block.error.kind === 'limit'
        ? this.#answerTooLarge(id, block.error.reason, isEnd)
        : this.#refuse(id, ErrorCode.PROTOCOL_ERROR);
    const request = readRequest(block.value, isEnd);
    if (!request.ok) return this.#refuse(id, ErrorCode.PROTOCOL_ERROR);
    const opened = this.#open(id, request.value);
    const fault = isEnd ? opened?.receiveEnd(NO_FIELDS) : undefined;
    return fault === undefined || opened === undefined ? undefined : this.failStream(opened, fault);
  }

  override onDataOfClosed(id: number): Fault | undefined {
    if (this.resetByUs.has(id) || id > this.#acceptedMax) return this.offend('stray-frame-flood');
    this.writeReset(id, ErrorCode.STREAM_CLOSED);
    return this.offend('rapid-reset');
  }

  override onReset(stream: Stream): Fault | undefined {
    return stream instanceof ServerStream && stream.isAnswered ? undefined : this.offend('rapid-reset');
  }

  /** The client opens no more, which it may do without saying so. */
  override onGoaway(): Fault | undefined {
    return this.offend('stray-frame-flood');
  }

  protected override isDrained(): boolean {
    return this.#acceptedMax < STREAM_ID_MAX;
  }

  /** The stream, unless it was closed again while it was being served. */
  #open(id: number, request: RequestHead): Stream | undefined {
    const stream = new ServerStream(id, this.peer.initialWindowBytes, this, request);
    this.streams.add(stream);
    stream.serveWith(this.#serve(request, stream));
    return stream.state === 'closed' ? undefined : stream;
  }

  #onTrailers(stream: Stream, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined {
    const fault = this.#flawInTrailers(stream, block, isEnd);
    return fault === undefined ? undefined : this.failStream(stream, fault);
  }

  #flawInTrailers(stream: Stream, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined {
    if (stream.state === 'half-closed-remote')
      return malformed('HEADERS after the end of the stream', ErrorCode.STREAM_CLOSED);
    if (!isEnd) return malformed('a second head');
    if (!block.ok) return block.error.kind === 'limit' ? exceeded(block.error.reason) : malformed(block.error.reason);
    const trailers = readTrailers(block.value);
    return trailers.ok ? stream.receiveEnd(trailers.value) : malformed(trailers.error);
  }

  #onHeadersOfClosed(id: number): Fault | undefined {
    if (this.resetByUs.has(id)) return this.offend('stray-frame-flood');
    return malformed('HEADERS of a closed stream', ErrorCode.STREAM_CLOSED);
  }

  #refuse(id: number, code: number): Fault | undefined {
    this.writeReset(id, code);
    return this.offend('rapid-reset');
  }

  /** 431, so that whoever sent it learns why (RFC 6585, 5). */
  #answerTooLarge(id: number, bound: string, isEnd: boolean): Fault | undefined {
    const { head, body } = this.#refusal(exceeded(bound).failure, 431);
    const stream = new ServerStream(id, this.peer.initialWindowBytes, this, UNREAD);
    this.streams.add(stream);
    stream.serveWith(NOBODY);
    if (isEnd) stream.receiveEnd(NO_FIELDS);
    stream.head(head);
    stream.data(body);
    stream.end(NO_FIELDS);
    return this.offend('rapid-reset');
  }

  protected override receive(chunk: Buffer): Fault | undefined {
    if (this.#prefaceRead === PREFACE.length) return super.receive(chunk);
    const bytes = Math.min(chunk.length, PREFACE.length - this.#prefaceRead);
    if (PREFACE.compare(chunk, 0, bytes, this.#prefaceRead, this.#prefaceRead + bytes) !== 0)
      return malformed('what does not begin as HTTP/2 does');
    this.#prefaceRead += bytes;
    return bytes < chunk.length ? super.receive(chunk.subarray(bytes)) : undefined;
  }
}

function bareRefusal(_failure: WireFailure, status: number): Refusal {
  return { head: { status, fields: NO_FIELDS, bodyBytes: undefined }, body: NO_BYTES };
}
