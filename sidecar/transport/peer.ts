// Transport to a peer: one attempt at one call, on the connection to one endpoint. CallLocalStream,
// or CallLocal for an old Dapr sidecar, which has said that it knows no other.
//
//   identify > authorize > resolve > resilience > [transport]
//
//   T1. Every attempt ends in exactly one reply.end or reply.abort, unless the caller's side ended it first.
//   T2. The fault of an attempt that failed says whether the app can have seen the call; retrying rests on it.
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { addAbortSignal } from 'node:stream';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultOfTrailers } from '../../api/grpc-status.ts';
import { type Headers, headersFromPeer } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import {
  decodeReply,
  decodeUnaryReply,
  encodeRequest,
  encodeUnaryRequest,
  type ReplyHeadMessage,
  type RequestHeadMessage,
} from '../../api/proto/peer.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import {
  CALL_LOCAL,
  CALL_LOCAL_STREAM,
  type MessageReader,
  type MessageWriter,
  type SendFrame,
  writeParts,
} from '../link/messages.ts';
import { StreamReader, StreamWriter } from '../link/streamed.ts';
import { UNARY_BYTES_MAX, UnaryReader, UnaryWriter } from '../link/unary.ts';
import type { Connected, PeerConnection } from './peer-connection.ts';
import { type ForwardedBy, grpcRequestHeaders, requestHead } from './peer-head.ts';
import { readReplyHead } from './peer-reply.ts';

export interface PeerTransportDeps {
  readonly clock: Clock;
  readonly forwardedBy: ForwardedBy;
}

const GRPC_UNIMPLEMENTED = 12;
/** Sends RST_STREAM with CANCEL, which only an abort signal makes the platform do. */
const CANCELLED = AbortSignal.abort();

type State =
  /** What was pushed meanwhile waits here: at most what one `pause` lets through. */
  | { readonly kind: 'connecting'; cancel: Cancel; readonly held: Buffer[]; ended: Headers | undefined }
  | { readonly kind: 'open'; readonly stream: ClientHttp2Stream; readonly writer: MessageWriter<RequestHeadMessage> }
  | { readonly kind: 'done' };

export function openPeer(
  call: PermittedCall,
  connection: PeerConnection,
  reply: ReplyEnd,
  deps: PeerTransportDeps,
): RequestEnd {
  const attempt = new PeerExchange(call, connection, reply, deps);
  attempt.connect();
  return attempt;
}

class PeerExchange implements RequestEnd {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #deps: PeerTransportDeps;
  readonly #connection: PeerConnection;
  readonly #isUnary: boolean;
  readonly #reader: MessageReader<ReplyHeadMessage>;
  #state: State = { kind: 'connecting', cancel: () => undefined, held: [], ended: undefined };
  #grpcTrailers: IncomingHttpHeaders | undefined;
  #sawHead = false;
  #httpTrailers: Headers = [];
  #error: Error | undefined;

  constructor(call: PermittedCall, connection: PeerConnection, reply: ReplyEnd, deps: PeerTransportDeps) {
    this.#call = call;
    this.#connection = connection;
    this.#isUnary = connection.speaksUnaryOnly;
    this.#reader = this.#isUnary
      ? new UnaryReader(decodeUnaryReply, UNARY_BYTES_MAX)
      : new StreamReader<ReplyHeadMessage>(decodeReply);
    this.#reply = reply;
    this.#deps = deps;
  }

  connect(): void {
    const cancel = this.#connection.withSession((connected: Connected) => {
      if (this.#state.kind !== 'connecting') return;
      if (connected.ok) this.#open(connected.session, this.#state.held, this.#state.ended);
      else this.#fail(connected.fault);
    });
    if (this.#state.kind === 'connecting') this.#state.cancel = cancel;
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'open') return state.writer.data(chunk);
    if (state.kind === 'connecting') state.held.push(chunk);
    return 'pause';
  }

  end(trailers: Headers): void {
    const state = this.#state;
    if (state.kind === 'connecting') state.ended = trailers;
    if (state.kind !== 'open') return;
    state.writer.end(trailers);
    state.stream.end();
  }

  abort(reason: Fault): void {
    this.cancel(reason);
  }

  resume(): void {
    if (this.#state.kind === 'open') this.#state.stream.resume();
  }

  cancel(_reason: Fault): void {
    this.#leave('cancelled');
  }

  #open(session: ClientHttp2Session, held: readonly Buffer[], ended: Headers | undefined): void {
    const stream = this.#request(session);
    if (stream === undefined) return;
    const send: SendFrame = (...parts) => writeParts(stream, parts);
    const writer = this.#isUnary
      ? new UnaryWriter(encodeUnaryRequest, send, () => this.#fail(this.#tooLargeForUnary()))
      : new StreamWriter<RequestHeadMessage>(encodeRequest, send);
    this.#state = { kind: 'open', stream, writer };
    this.#listen(stream);
    writer.head(requestHead(this.#call, this.#deps.forwardedBy));
    for (const chunk of held) writer.data(chunk);
    if (ended !== undefined) this.end(ended);
    else if (!stream.writableNeedDrain) this.#reply.resume();
  }

  #request(session: ClientHttp2Session): ClientHttp2Stream | undefined {
    const { deadlineMs } = this.#call;
    const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#deps.clock.elapsed();
    try {
      return session.request(grpcRequestHeaders(this.#isUnary ? CALL_LOCAL : CALL_LOCAL_STREAM, leftMs));
    } catch (error) {
      // The session began to close in this very turn.
      this.#fail(this.#notSent(String(error)));
      return undefined;
    }
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) this.#fail(this.#broke(`HTTP status ${headers[':status']}`));
      else if (headers['grpc-status'] !== undefined) this.#grpcTrailers = headers;
    });
    stream.on('data', (chunk: Buffer) => this.#received(stream, chunk));
    stream.on('trailers', (trailers) => {
      this.#grpcTrailers = trailers;
    });
    stream.on('drain', () => this.#reply.resume());
    stream.on('end', () => this.#ended());
    stream.on('error', (error) => {
      this.#error = error;
    });
    stream.on('close', () => this.#closed(stream));
  }

  // The reply.

  #received(stream: ClientHttp2Stream, chunk: Buffer): void {
    const messages = this.#reader.push(chunk);
    if (!messages.ok) {
      this.#fail(this.#broke(messages.error.message));
      return;
    }
    for (const { head, data, trailers } of messages.value) {
      if (this.#state.kind !== 'open') return;
      if (head !== undefined) this.#head(head);
      if (data !== undefined && this.#state.kind === 'open' && this.#reply.data(data) === 'pause') stream.pause();
      const travelling = headersFromPeer(trailers);
      if (travelling.ok) this.#httpTrailers = travelling.value;
      else this.#fail(this.#broke(travelling.error));
    }
  }

  #head(message: ReplyHeadMessage): void {
    const head = readReplyHead(message);
    this.#sawHead = true;
    if (head.ok) this.#reply.head(head.value);
    else this.#fail(this.#broke(head.error));
  }

  #ended(): void {
    if (this.#state.kind !== 'open' || this.#grpcTrailers === undefined) return;
    const refused = faultOfTrailers(this.#grpcTrailers);
    if (refused !== undefined) {
      this.#fail(this.#isDowngrade(this.#grpcTrailers) ? this.#downgraded() : refused);
    } else if (!this.#sawHead || !this.#reader.isComplete) {
      this.#fail(this.#broke('the answer ends before its head, or in the middle of a message'));
    } else {
      this.#leave('complete');
      this.#reply.end(this.#httpTrailers);
    }
  }

  #closed(stream: ClientHttp2Stream): void {
    if (this.#state.kind !== 'open') return;
    const isRefusal = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && !this.#connection.wasBrokenOff;
    const wasRefused = isRefusal || stream.id === undefined;
    const cause = this.#error?.message ?? `stream closed with code ${stream.rstCode}`;
    this.#fail(wasRefused ? this.#notSent(cause) : this.#broke(cause));
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave('cancelled');
    this.#reply.abort(reason);
  }

  /** Ends the attempt. Whatever is still on its way from the peer is read and thrown away. */
  #leave(how: 'complete' | 'cancelled'): void {
    const state = this.#state;
    this.#state = { kind: 'done' };
    if (state.kind === 'connecting') state.cancel();
    if (state.kind !== 'open') return;
    const { stream, writer } = state;
    writer.drop();
    stream.resume();
    // `stream.close` would end the request before it resets it, and a callee would take half a body for a whole one.
    if (how === 'cancelled' || !stream.writableEnded) addAbortSignal(CANCELLED, stream);
  }

  /** A method that the peer does not know, and it is none of ours: ours say so with a fault of their own. */
  #isDowngrade(trailers: IncomingHttpHeaders): boolean {
    return !this.#isUnary && trailers['grpc-status'] === String(GRPC_UNIMPLEMENTED) && !('invoke-fault' in trailers);
  }

  #downgraded(): Fault {
    this.#connection.speaksUnaryOnly = true;
    return fault(
      'peer-downgraded',
      `the sidecar of ${targetName(this.#call.target)} knows no streams; nothing reached its app. Call again, it will be asked in one message.`,
    );
  }

  #tooLargeForUnary(): Fault {
    return fault(
      'body-too-large',
      `the sidecar of ${targetName(this.#call.target)} knows no streams, and the body is too large for one message; upgrade that sidecar.`,
    );
  }

  #notSent(cause: string): Fault {
    return fault(
      'peer-closing',
      `the sidecar of ${targetName(this.#call.target)} was closing the connection; its app has not seen the call.`,
      cause,
    );
  }

  #broke(cause: string): Fault {
    return fault(
      'peer-broke',
      `the connection to ${targetName(this.#call.target)} broke before its answer was complete; the app may have seen the call.`,
      cause,
    );
  }
}
