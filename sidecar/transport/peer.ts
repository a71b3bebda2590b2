// Transport to a peer: one attempt at one call, on the connection to one endpoint. CallLocalStream,
// or CallLocal for an old Dapr sidecar, which has said that it knows no other. The answer is read by peer-answer.ts.
//
//   identify > authorize > resolve > resilience > [transport]
//
//   T1. Every attempt ends in exactly one reply.end or reply.abort, unless the caller's side ended it first.
//   T2. The fault of an attempt that failed says whether the app can have seen the call; retrying rests on it.
import type { Flow, ReplyEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { encodeRequest, encodeUnaryRequest } from '../../api/proto/peer-encoding.ts';
import type { Clock } from '../../kit/clock.ts';
import type { RequestHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM, type FrameSink, type MessageWriter } from '../link/messages.ts';
import { StreamAttempt } from '../link/stream-attempt.ts';
import { StreamWriter } from '../link/streamed.ts';
import { UnaryWriter } from '../link/unary.ts';
import type { AttemptEnd } from '../resilience/time-spent.ts';
import { type AnsweredCall, PeerAnswer } from './peer-answer.ts';
import type { PeerConnection } from './peer-connection.ts';
import { peerBroke, peerClosing } from './peer-faults.ts';
import { grpcRequestHead, requestHead } from './peer-head.ts';

export interface PeerTransportDeps {
  readonly clock: Clock;
  /** What says of this machine that the call went through it: `forwardedHeaders`. */
  readonly forwarded: Headers;
}

export function openPeer(
  call: PermittedCall,
  connection: PeerConnection,
  reply: ReplyEnd,
  deps: PeerTransportDeps,
): AttemptEnd {
  const attempt = new PeerAttempt(call, connection, reply, deps);
  attempt.start();
  return attempt;
}

class PeerAttempt extends StreamAttempt<Fault, PeerConnection> implements FrameSink, AnsweredCall {
  readonly #call: PermittedCall;
  readonly #deps: PeerTransportDeps;
  readonly #isUnary: boolean;
  readonly #writer: MessageWriter<RequestHeadMessage>;

  constructor(call: PermittedCall, connection: PeerConnection, reply: ReplyEnd, deps: PeerTransportDeps) {
    super(reply, connection);
    this.#call = call;
    this.#isUnary = connection.speaksUnaryOnly;
    this.#deps = deps;
    this.#writer = this.#isUnary
      ? new UnaryWriter(encodeUnaryRequest, this, () => this.fail(this.#tooLargeForUnary()))
      : new StreamWriter<RequestHeadMessage>(encodeRequest, this);
  }

  get connectedMs(): number | 'not-yet' {
    return this.source.readyMs;
  }

  protected override notConnected(reason: Fault): Fault {
    return reason;
  }

  protected override head(): RequestHead {
    const { deadlineMs } = this.#call;
    const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#deps.clock.elapsed();
    return grpcRequestHead(this.#isUnary ? CALL_LOCAL : CALL_LOCAL_STREAM, leftMs);
  }

  protected override answer(): ResponseReceiver {
    return new PeerAnswer(this, this.reply, this.#isUnary);
  }

  // The request, as messages.

  protected override opened(): void {
    this.#writer.head(requestHead(this.#call, this.#deps.forwarded));
  }

  protected override push(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  protected override pushEnd(trailers: Headers): void {
    this.#writer.end(trailers);
  }

  protected override left(): void {
    this.#writer.drop();
  }

  // What the answer says.

  /** A method that the peer does not know, and it is none of ours: ours say so with a fault of their own. */
  downgraded(): void {
    if (this.#isUnary) {
      this.broke('it knows neither of the two methods for calls');
      return;
    }
    this.source.speaksUnaryOnly = true;
    this.fail(
      fault(
        'peer-downgraded',
        `the sidecar of ${this.#name} knows no streams; nothing reached its app. Call again, it will be asked in one message.`,
      ),
    );
  }

  broke(cause: string): void {
    this.fail(peerBroke(this.#call.target, cause));
  }

  /** Its stream is gone: `refused` proves that nobody has looked at the call. */
  lost({ kind, reason }: WireFailure): void {
    if (kind === 'refused') this.fail(peerClosing(this.#call.target, reason));
    else this.broke(reason);
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
}
