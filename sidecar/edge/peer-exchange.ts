// One call from a peer: its messages become a Call and a pushed body; the reply goes back as messages.
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Flow, Open, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import { type Headers, headersFromPeer } from '../../api/headers.ts';
import type { Identity, Target } from '../../api/ids.ts';
import {
  decodeRequest,
  decodeUnaryRequest,
  encodeReply,
  encodeUnaryReply,
  type ReplyHeadMessage,
  type RequestHeadMessage,
  type StreamMessage,
} from '../../api/proto/peer.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { type MessageReader, type MessageWriter, type SendFrame, unreadable, writeParts } from '../link/messages.ts';
import { StreamReader, StreamWriter } from '../link/streamed.ts';
import { UnaryReader, UnaryWriter } from '../link/unary.ts';
import { readPeerCall } from './peer-call.ts';

export interface PeerCallDeps {
  readonly open: Open;
  readonly self: Target;
  /** Proven by the connection's certificate. */
  readonly caller: Identity;
  readonly bodyBytesMax: number;
  readonly clock: Clock;
  /** Shared by all calls on a connection. */
  readonly budget: HoldBudget;
}

/** How many bytes of unfinished messages one connection makes us hold. */
export interface HoldBudget {
  heldBytes: number;
}

const HELD_BYTES_MAX = 32 * 1024 * 1024;
/** As long as an app may take for the head of its request. */
const HEAD_TIMEOUT_MS = 10_000;

type State =
  | { readonly kind: 'awaiting-head'; readonly cancelTimeout: Cancel }
  | { readonly kind: 'open'; readonly request: RequestEnd }
  /** `trailers` end the stream as soon as what was written is out. */
  | { readonly kind: 'ended'; readonly trailers: Readonly<Record<string, string>> };

/** CallLocalStream, or CallLocal if `isUnary`. */
export function servePeerCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  isUnary: boolean,
  deps: PeerCallDeps,
): void {
  new PeerExchange(stream, headers, isUnary, deps);
}

class PeerExchange implements ReplyEnd {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #deps: PeerCallDeps;
  readonly #reader: MessageReader<RequestHeadMessage>;
  readonly #writer: MessageWriter<ReplyHeadMessage>;
  #state: State;
  #httpTrailers: Headers = [];
  #bodyBytes = 0;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, isUnary: boolean, deps: PeerCallDeps) {
    this.#stream = stream;
    this.#headers = headers;
    this.#deps = deps;
    const cancelTimeout = deps.clock.after(HEAD_TIMEOUT_MS, () => this.#refuse(NO_HEAD));
    this.#state = { kind: 'awaiting-head', cancelTimeout };
    const send: SendFrame = (...parts) => this.#send(parts);
    this.#reader = isUnary
      ? new UnaryReader(decodeUnaryRequest, deps.bodyBytesMax)
      : new StreamReader<RequestHeadMessage>(decodeRequest);
    this.#writer = isUnary
      ? new UnaryWriter(encodeUnaryReply, send, () => this.#refuse(TOO_LARGE_FOR_UNARY))
      : new StreamWriter<ReplyHeadMessage>(encodeReply, send);
    this.#listen();
  }

  #listen(): void {
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => this.#received(chunk));
    stream.on('end', () => this.#requestEnded());
    stream.on('drain', () => {
      if (this.#state.kind === 'open') this.#state.request.resume();
    });
    stream.on('wantTrailers', () => stream.sendTrailers(this.#state.kind === 'ended' ? this.#state.trailers : {}));
    stream.on('close', () => {
      this.#deps.budget.heldBytes -= this.#reader.heldBytes;
      if (this.#state.kind === 'awaiting-head') this.#state.cancelTimeout();
      if (this.#state.kind === 'open') this.#state.request.cancel(fault('cancelled', 'the caller went away.'));
    });
  }

  // The request.

  #received(chunk: Buffer): void {
    if (this.#state.kind === 'ended') return;
    const { budget } = this.#deps;
    budget.heldBytes -= this.#reader.heldBytes;
    const messages = this.#reader.push(chunk);
    budget.heldBytes += this.#reader.heldBytes;
    if (!messages.ok) this.#refuse(messages.error);
    else if (budget.heldBytes > HELD_BYTES_MAX) this.#refuse(TOO_MUCH_HELD);
    else for (const message of messages.value) this.#take(message);
  }

  #take({ head, data, trailers }: StreamMessage<RequestHeadMessage>): void {
    if (head !== undefined && this.#state.kind === 'awaiting-head') this.#begin(head);
    const state = this.#state;
    if (state.kind !== 'open') return;
    const travelling = headersFromPeer(trailers);
    if (!travelling.ok) {
      this.#refuse(unreadable(travelling.error));
      return;
    }
    this.#httpTrailers = travelling.value;
    if (data === undefined || data.length === 0) return;
    this.#bodyBytes += data.length;
    if (this.#bodyBytes > this.#deps.bodyBytesMax) this.#refuse(tooLarge(this.#deps.bodyBytesMax));
    else if (state.request.data(data) === 'pause') this.#stream.pause();
  }

  #begin(head: RequestHeadMessage): void {
    const { bodyBytesMax, open } = this.#deps;
    const call = readPeerCall(head, this.#headers, this.#deps);
    if (!call.ok) {
      this.#refuse(call.error);
    } else if (call.value.bodyBytes !== undefined && call.value.bodyBytes > bodyBytesMax) {
      this.#refuse(tooLarge(bodyBytesMax));
    } else {
      const request = open(call.value, this);
      // It may have been refused before it was open (E4).
      if (this.#state.kind !== 'awaiting-head') return;
      this.#state.cancelTimeout();
      this.#state = { kind: 'open', request };
    }
  }

  #requestEnded(): void {
    const state = this.#state;
    // A reset with CANCEL ends the stream like an end of the request; half a body must not pass for a whole one.
    if (state.kind === 'ended' || this.#stream.aborted) return;
    if (state.kind === 'awaiting-head' || !this.#reader.isComplete) {
      this.#refuse(
        fault('bad-request', 'the peer ended its stream in the middle of a message, or before it said what it calls.'),
      );
    } else {
      state.request.end(this.#httpTrailers);
    }
  }

  /** Ends both sides from here: the way is told, and the peer. */
  #refuse(reason: Fault): void {
    if (this.#state.kind === 'open') this.#state.request.abort(reason);
    this.abort(reason);
  }

  // The reply.

  head({ status, headers, bodyBytes }: ReplyHead): void {
    const length: Headers = bodyBytes === undefined ? [] : ['content-length', String(bodyBytes)];
    this.#writer.head({ status, headers: [...headers, ...length] });
  }

  data(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  end(trailers: Headers): void {
    if (this.#state.kind === 'ended') return;
    this.#writer.end(trailers);
    this.#finish({ 'grpc-status': '0' });
  }

  abort(reason: Fault): void {
    if (this.#state.kind === 'ended') return;
    this.#writer.drop();
    this.#finish(faultTrailers(reason));
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(_reason: Fault): void {
    this.#stream.resume();
  }

  #send(parts: readonly Buffer[]): Flow {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || this.#state.kind === 'ended') return 'ok';
    if (!stream.headersSent) stream.respond(RESPONSE_HEAD, { waitForTrailers: true });
    return writeParts(stream, parts);
  }

  #finish(trailers: Readonly<Record<string, string>>): void {
    if (this.#state.kind === 'awaiting-head') this.#state.cancelTimeout();
    this.#state = { kind: 'ended', trailers };
    const stream = this.#stream;
    // Reset by the peer: answering would throw. It closes once what is left of it has been read.
    if (stream.destroyed || stream.closed) {
      stream.resume();
      return;
    }
    if (stream.headersSent) stream.end();
    else stream.respond({ ...RESPONSE_HEAD, ...trailers }, { endStream: true });
    // The answer may come before the end of the request. A gRPC client then stops by itself; what is still on its way is
    // thrown away, and a client that does not stop is stopped. Not at once: a reset could overtake the trailers.
    stream.resume();
    const cancel = this.#deps.clock.after(LINGER_MS_MAX, () => stream.close(constants.NGHTTP2_NO_ERROR));
    stream.once('close', cancel);
  }
}

const LINGER_MS_MAX = 5000;

const RESPONSE_HEAD = { ':status': 200, 'content-type': 'application/grpc' } as const;

const NO_HEAD = fault('timeout', `the peer did not say within ${HEAD_TIMEOUT_MS / 1000} s what it calls.`);
const TOO_MUCH_HELD = fault('body-too-large', 'the peer has begun more messages on this connection than it finishes.');
const TOO_LARGE_FOR_UNARY = fault(
  'app-broke',
  'the answer is too large for a unary call; the caller has to stream it.',
);

function tooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the body is larger than ${bodyBytesMax} bytes, which is all that the sidecar of the called app takes; raise its --max-body-size if it should pass.`,
  );
}
