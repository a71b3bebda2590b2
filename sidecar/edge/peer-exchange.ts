// One call from a peer: its messages become a Call and a pushed body. The reply goes back by peer-reply.ts.
import type { Flow, Open, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headersFromPeer, headerValue } from '../../api/headers.ts';
import type { Identity, Target } from '../../api/ids.ts';
import type { RequestHeadMessage, StreamMessage } from '../../api/proto/peer.ts';
import { decodeUnaryRequest } from '../../api/proto/peer-decoding.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { HeldBytes } from '../../kit/held-bytes.ts';
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { type MessageReader, unreadable } from '../link/messages.ts';
import { REQUEST_CODEC, StreamReader } from '../link/streamed.ts';
import { UnaryReader } from '../link/unary.ts';
import { readPeerCall } from './peer-call.ts';
import { PeerReply } from './peer-reply.ts';

export interface PeerCallDeps {
  readonly open: Open;
  readonly self: Target;
  /** Proven by the connection's certificate. */
  readonly caller: Identity;
  readonly bodyBytesMax: number;
  readonly clock: Clock;
  /** Of unfinished messages; shared by all calls on a connection. */
  readonly held: HeldBytes;
}

/** As long as an app may take for the head of its request. */
export const HEAD_TIMEOUT_MS = 10_000;

type State =
  | { readonly kind: 'awaiting-head'; readonly cancelTimeout: Cancel | undefined }
  | { readonly kind: 'open'; readonly request: RequestEnd }
  | { readonly kind: 'ended' };

const AWAITING_HEAD: State = { kind: 'awaiting-head', cancelTimeout: undefined };
const ENDED: State = { kind: 'ended' };

/** CallLocalStream, or CallLocal if `isUnary`. */
export function servePeerCall(
  head: RequestHead,
  responder: Responder,
  isUnary: boolean,
  deps: PeerCallDeps,
): RequestReceiver {
  const request = new PeerRequest(headerValue(head.fields, 'grpc-timeout'), responder, isUnary, deps);
  atTurnEnd(request);
  return request;
}

class PeerRequest implements RequestReceiver, TurnTask {
  readonly #deps: PeerCallDeps;
  readonly #grpcTimeout: string | undefined;
  readonly #reader: MessageReader<RequestHeadMessage>;
  readonly #reply: PeerReply;
  #state: State = AWAITING_HEAD;
  #httpTrailers: Headers = [];
  #bodyBytes = 0;
  #heldBytes = 0;

  constructor(grpcTimeout: string | undefined, responder: Responder, isUnary: boolean, deps: PeerCallDeps) {
    this.#deps = deps;
    this.#grpcTimeout = grpcTimeout;
    this.#reader = isUnary ? new UnaryReader(decodeUnaryRequest, deps.bodyBytesMax) : new StreamReader(REQUEST_CODEC);
    this.#reply = new PeerReply(responder, isUnary, this);
  }

  /** A head nearly always comes with its stream; a timer is for the peer that holds it back. */
  turnOver(): void {
    if (this.#state !== AWAITING_HEAD) return;
    const cancelTimeout = this.#deps.clock.after(HEAD_TIMEOUT_MS, () => this.refuse(NO_HEAD));
    this.#state = { kind: 'awaiting-head', cancelTimeout };
  }

  data(chunk: Buffer): Flow {
    if (this.#state.kind === 'ended') return 'ok';
    const messages = this.#reader.push(chunk);
    let flow: Flow = 'ok';
    if (!messages.ok) this.refuse(messages.error);
    else if (!this.#hold()) this.refuse(TOO_MUCH_HELD);
    else for (const message of messages.value) if (this.#take(message) === 'pause') flow = 'pause';
    return flow;
  }

  end(): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    if (state.kind === 'open' && this.#reader.isComplete) state.request.end(this.#httpTrailers);
    else this.refuse(HALF_A_CALL);
  }

  /** Half a body must not pass for a whole one. */
  abort(): void {
    this.cancel();
  }

  resume(): void {
    if (this.#state.kind === 'open') this.#state.request.resume();
  }

  cancel(): void {
    const state = this.#state;
    this.ended();
    if (state.kind === 'open') state.request.cancel(fault('cancelled', 'the caller went away.'));
  }

  /** Ends both sides from here: the way is told, and the peer. */
  refuse(reason: Fault): void {
    if (this.#state.kind === 'open') this.#state.request.abort(reason);
    this.#reply.abort(reason);
  }

  /** Nothing more is passed on. Said by the reply, too, when it is over. */
  ended(): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    if (state.kind === 'awaiting-head') state.cancelTimeout?.();
    this.#state = ENDED;
    this.#deps.held.give(this.#heldBytes);
    // Its stream may live on for as long as the peer leaves the reply unread.
    this.#reader.drop();
  }

  /** Counts what now waits for the rest of its message in place of what did before. False where there is no room. */
  #hold(): boolean {
    const more = this.#reader.heldBytes - this.#heldBytes;
    if (!this.#deps.held.take(more)) return false;
    this.#heldBytes += more;
    return true;
  }

  #take({ head, data, trailers }: StreamMessage<RequestHeadMessage>): Flow {
    if (head !== undefined && this.#state.kind === 'awaiting-head') this.#begin(head);
    const state = this.#state;
    if (state.kind !== 'open') return 'ok';
    if (trailers.length > 0) {
      const travelling = headersFromPeer(trailers);
      if (!travelling.ok) {
        this.refuse(unreadable(travelling.error));
        return 'ok';
      }
      this.#httpTrailers = travelling.value;
    }
    if (data === undefined || data.length === 0) return 'ok';
    this.#bodyBytes += data.length;
    if (this.#bodyBytes <= this.#deps.bodyBytesMax) return state.request.data(data);
    this.refuse(tooLarge(this.#deps.bodyBytesMax));
    return 'ok';
  }

  #begin(head: RequestHeadMessage): void {
    const { bodyBytesMax, open } = this.#deps;
    const call = readPeerCall(head, this.#grpcTimeout, this.#deps);
    if (!call.ok) {
      this.refuse(call.error);
    } else if (call.value.bodyBytes !== undefined && call.value.bodyBytes > bodyBytesMax) {
      this.refuse(tooLarge(bodyBytesMax));
    } else {
      const request = open(call.value, this.#reply);
      // It may have been refused before it was open (E4).
      if (this.#state.kind !== 'awaiting-head') return;
      this.#state.cancelTimeout?.();
      this.#state = { kind: 'open', request };
    }
  }
}

export const NO_HEAD = fault('timeout', `the peer did not say within ${HEAD_TIMEOUT_MS / 1000} s what it calls.`);
export const HALF_A_CALL = fault(
  'bad-request',
  'the peer ended its stream in the middle of a message, or before it said what it calls.',
);
export const TOO_MUCH_HELD = fault(
  'body-too-large',
  'the peer has begun more messages on this connection than it finishes.',
);

function tooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the body is larger than ${bodyBytesMax} bytes, which is all that the sidecar of the called app takes; raise its --max-body-size if it should pass.`,
  );
}
