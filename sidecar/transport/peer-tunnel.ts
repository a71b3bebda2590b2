// Transport of a tunnel to a peer: one attempt, on the connection to one endpoint, as a stream of our own method. HTTP/2's
// flow control is the back-pressure. A Dapr sidecar has no such method.
import type { TunnelCall } from '../../api/call.ts';
import { type Flow, type ReplyEnd, type ReplyHead, SWITCHING } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultOfTrailers } from '../../api/grpc-status.ts';
import { type Headers, headersFromPeer, headerValue, NO_HEADERS } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import type { ReplyHeadMessage } from '../../api/proto/peer.ts';
import { decodeUnaryReply } from '../../api/proto/peer-decoding.ts';
import { encodeUnaryRequest } from '../../api/proto/peer-encoding.ts';
import { TUNNEL, type TunnelMessage } from '../../api/proto/tunnel.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { RequestHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { FrameSink } from '../link/messages.ts';
import { StreamAttempt } from '../link/stream-attempt.ts';
import { TunnelReader, TunnelWriter } from '../link/tunnelled.ts';
import type { AttemptEnd } from '../resilience/time-spent.ts';
import { type Answered, CUT_SHORT, MessageAnswer } from './message-answer.ts';
import type { PeerTransportDeps } from './peer.ts';
import type { PeerConnection } from './peer-connection.ts';
import { peerBroke, peerClosing } from './peer-faults.ts';
import { grpcRequestHead, requestHead } from './peer-head.ts';
import { readReplyHead } from './reply-head.ts';

export type PermittedTunnel = PermittedCall & TunnelCall;

export function openPeerTunnel(
  call: PermittedTunnel,
  connection: PeerConnection,
  reply: ReplyEnd,
  deps: PeerTransportDeps,
): AttemptEnd {
  const attempt = new TunnelAttempt(call, connection, reply, deps);
  attempt.start();
  return attempt;
}

const NO_BYTES = Buffer.alloc(0);

class TunnelAttempt extends StreamAttempt<Fault, PeerConnection> implements FrameSink, Answered {
  readonly #call: PermittedTunnel;
  readonly #deps: PeerTransportDeps;
  readonly #writer = new TunnelWriter(this);
  #isRequestOver = false;
  #isReplyOver = false;

  constructor(call: PermittedTunnel, connection: PeerConnection, reply: ReplyEnd, deps: PeerTransportDeps) {
    super(reply, connection);
    this.#call = call;
    this.#deps = deps;
  }

  get connectedMs(): number | 'not-yet' {
    return this.source.readyMs;
  }

  protected override notConnected(reason: Fault): Fault {
    return reason;
  }

  protected override head(): RequestHead {
    const { deadlineMs } = this.#call;
    return grpcRequestHead(TUNNEL, deadlineMs === undefined ? undefined : deadlineMs - this.#deps.clock.elapsed());
  }

  protected override answer(): ResponseReceiver {
    return new TunnelAnswer(this, this.reply);
  }

  protected override opened(): void {
    const head = encodeUnaryRequest(requestHead(this.#call, this.#deps.forwarded), NO_BYTES);
    this.#writer.head(head, this.#call.protocol);
  }

  protected override push(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  protected override pushEnd(): void {
    this.#isRequestOver = true;
  }

  // What the answer says.

  /** The app writes no more. */
  replyEnded(): void {
    this.#isReplyOver = true;
    this.reply.end(NO_HEADERS);
  }

  /** The stream has ended well. */
  ended(isTunnel: boolean): void {
    if (isTunnel && !this.#isReplyOver) this.broke('the tunnel ended before its app had ended it');
    else if (isTunnel && !this.#isRequestOver) this.broke('the tunnel ended before its caller had ended it');
    else if (isTunnel) this.settle();
    else this.complete(NO_HEADERS);
  }

  broke(cause: string): void {
    this.fail(peerBroke(this.#call.target, cause));
  }

  /** `refused` proves that nobody has looked at the call. */
  lost({ kind, reason }: WireFailure): void {
    if (kind === 'refused') this.fail(peerClosing(this.#call.target, reason));
    else this.broke(reason);
  }

  /** Whoever refuses without the word of our own sidecars is none of them. */
  notCarried(cause: string): void {
    const message =
      `the sidecar of ${targetName(this.#call.target)} carries no WebSocket or other upgrade, as Dapr's do not; ` +
      'nothing reached its app. Call it by plain requests, or put the app behind a sidecar of Invoke.';
    this.fail(fault('unimplemented', message, cause));
  }
}

class TunnelAnswer extends MessageAnswer<TunnelMessage, TunnelAttempt> {
  #status: number | undefined;

  constructor(attempt: TunnelAttempt, reply: ReplyEnd) {
    super(attempt, reply, new TunnelReader());
  }

  override end(trailers: Headers): void {
    if (!this.attempt.isOpen) return;
    const said = trailers.length > 0 ? trailers : this.headFields;
    const refused = faultOfTrailers(said);
    if (refused !== undefined) this.#refused(refused, said);
    else if (this.reader.isComplete) this.attempt.ended(this.#status === SWITCHING);
    else this.attempt.broke(CUT_SHORT);
  }

  #refused(refused: Fault, said: Headers): void {
    const isOneOfOurs = this.#status !== undefined || headerValue(said, 'invoke-fault') !== undefined;
    if (isOneOfOurs) this.attempt.fail(refused);
    else this.attempt.notCarried(refused.message);
  }

  protected override take({ head, data, isEnd }: TunnelMessage): Flow {
    if (head !== undefined && this.attempt.isOpen) this.#head(head);
    const flow = data === undefined || !this.attempt.isOpen ? 'ok' : this.reply.data(data);
    if (isEnd && this.attempt.isOpen) this.attempt.replyEnded();
    return flow;
  }

  #head(bytes: Buffer): void {
    const message = decodeUnaryReply(bytes);
    const head = message.ok ? readTunnelHead(message.value.head) : message;
    if (head.ok) {
      this.#status = head.value.status;
      this.reply.head(head.value);
    } else {
      this.attempt.broke(head.error);
    }
  }
}

function readTunnelHead(message: ReplyHeadMessage): Result<ReplyHead> {
  if (message.status !== SWITCHING) return readReplyHead(message);
  const headers = headersFromPeer(message.headers);
  return headers.ok ? ok({ status: SWITCHING, headers: headers.value, bodyBytes: undefined }) : err(headers.error);
}
