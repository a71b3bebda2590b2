// Transport to a peer: one attempt at one call, on the connection to one endpoint. CallLocalStream,
// or CallLocal for an old Dapr sidecar, which has said that it knows no other. The answer is read by peer-answer.ts.
//
//   identify > authorize > resolve > resilience > [transport]
//
//   T1. Every attempt ends in exactly one reply.end or reply.abort, unless the caller's side ended it first.
//   T2. The fault of an attempt that failed says whether the app can have seen the call; retrying rests on it.
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { encodeRequest, encodeUnaryRequest } from '../../api/proto/peer-encoding.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import { NOBODY, type Requester, type WireFailure } from '../../wire/message.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM, type FrameSink, type MessageWriter } from '../link/messages.ts';
import { StreamWriter } from '../link/streamed.ts';
import { UnaryWriter } from '../link/unary.ts';
import { type Answered, PeerAnswer } from './peer-answer.ts';
import type { Connected, PeerConnection } from './peer-connection.ts';
import { grpcRequestHead, requestHead } from './peer-head.ts';

export interface PeerTransportDeps {
  readonly clock: Clock;
  /** What says of this machine that the call went through it: `forwardedHeaders`. */
  readonly forwarded: Headers;
}

type State =
  /** What was pushed meanwhile waits here: at most what one `pause` lets through. */
  | { readonly kind: 'connecting'; cancel: Cancel; readonly held: Buffer[]; ended: Headers | undefined }
  | { readonly kind: 'open'; readonly requester: Requester; readonly writer: MessageWriter<RequestHeadMessage> }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };
const GIVEN_UP: WireFailure = { kind: 'reset', reason: 'the call was given up' };

export function openPeer(
  call: PermittedCall,
  connection: PeerConnection,
  reply: ReplyEnd,
  deps: PeerTransportDeps,
): RequestEnd {
  const attempt = new PeerAttempt(call, connection, reply, deps);
  attempt.start();
  return attempt;
}

class PeerAttempt implements RequestEnd, FrameSink, Answered {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #deps: PeerTransportDeps;
  readonly #connection: PeerConnection;
  readonly #isUnary: boolean;
  #state: State = DONE;

  constructor(call: PermittedCall, connection: PeerConnection, reply: ReplyEnd, deps: PeerTransportDeps) {
    this.#call = call;
    this.#connection = connection;
    this.#isUnary = connection.speaksUnaryOnly;
    this.#reply = reply;
    this.#deps = deps;
  }

  start(): void {
    const { ready } = this.#connection;
    if (ready === undefined) this.#connect();
    else this.#open(ready);
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
    state.requester.end([]);
  }

  abort(_reason: Fault): void {
    this.#giveUp();
  }

  resume(): void {
    if (this.#state.kind === 'open') this.#state.requester.resume();
  }

  cancel(_reason: Fault): void {
    this.#giveUp();
  }

  /** What the writer makes of it. */
  send(bytes: Buffer): Flow {
    return this.#state.kind === 'open' ? this.#state.requester.data(bytes) : 'ok';
  }

  // What the answer says.

  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  complete(trailers: Headers): void {
    if (this.#state.kind !== 'open') return;
    this.#state.writer.drop();
    this.#state = DONE;
    this.#reply.end(trailers);
  }

  mayGoOn(): void {
    if (this.#state.kind === 'open') this.#reply.resume();
  }

  refused(reason: Fault): void {
    this.#fail(reason);
  }

  /** A method that the peer does not know, and it is none of ours: ours say so with a fault of their own. */
  downgraded(): void {
    if (this.#isUnary) {
      this.#fail(this.#broke('it knows neither of the two methods for calls'));
      return;
    }
    this.#connection.speaksUnaryOnly = true;
    this.#fail(
      fault(
        'peer-downgraded',
        `the sidecar of ${this.#name} knows no streams; nothing reached its app. Call again, it will be asked in one message.`,
      ),
    );
  }

  broke(cause: string): void {
    this.#fail(this.#broke(cause));
  }

  /** Its stream is gone: `refused` proves that nobody has looked at the call. */
  lost({ kind, reason }: WireFailure): void {
    this.#fail(kind === 'refused' ? this.#notSent(reason) : this.#broke(reason));
  }

  #connect(): void {
    const state: State = { kind: 'connecting', cancel: () => undefined, held: [], ended: undefined };
    this.#state = state;
    state.cancel = this.#connection.withConnection((connected: Connected) => {
      if (this.#state !== state) return;
      if (!connected.ok) {
        this.#fail(connected.fault);
        return;
      }
      this.#open(connected.connection);
      let flow: Flow = 'ok';
      for (const chunk of state.held) flow = this.data(chunk);
      if (state.ended !== undefined) this.end(state.ended);
      else if (flow === 'ok' && this.isOpen) this.#reply.resume();
    });
  }

  #open(connection: Http2ClientConnection): void {
    const { deadlineMs } = this.#call;
    const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#deps.clock.elapsed();
    const answer = new PeerAnswer(this, this.#reply, this.#isUnary);
    const writer = this.#isUnary
      ? new UnaryWriter(encodeUnaryRequest, this, () => this.#fail(this.#tooLargeForUnary()))
      : new StreamWriter<RequestHeadMessage>(encodeRequest, this);
    const opened: State = { kind: 'open', requester: NOBODY, writer };
    this.#state = opened;
    const requester = connection.request(
      grpcRequestHead(this.#isUnary ? CALL_LOCAL : CALL_LOCAL_STREAM, leftMs),
      answer,
    );
    // It may have been refused already (E4).
    if (this.#state !== opened) return;
    this.#state = { kind: 'open', requester, writer };
    writer.head(requestHead(this.#call, this.#deps.forwarded));
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#giveUp();
    this.#reply.abort(reason);
  }

  #giveUp(): void {
    const state = this.#state;
    this.#state = DONE;
    if (state.kind === 'connecting') state.cancel();
    if (state.kind !== 'open') return;
    state.writer.drop();
    state.requester.cancel(GIVEN_UP);
  }

  get #name(): string {
    return targetName(this.#call.target);
  }

  #tooLargeForUnary(): Fault {
    return fault(
      'body-too-large',
      `the sidecar of ${this.#name} knows no streams, and the body is too large for one message; upgrade that sidecar.`,
    );
  }

  #notSent(cause: string): Fault {
    return fault(
      'peer-closing',
      `the sidecar of ${this.#name} was closing the connection; its app has not seen the call.`,
      cause,
    );
  }

  #broke(cause: string): Fault {
    return fault(
      'peer-broke',
      `the connection to ${this.#name} broke before its answer was complete; the app may have seen the call.`,
      cause,
    );
  }
}
