// A tunnel from a peer: its stream becomes a call of that kind, and bytes both ways. Either way may end before the other; the
// stream ends with the later.
import type { TunnelCall } from '../../api/call.ts';
import { type Flow, type ReplyEnd, type ReplyHead, type RequestEnd, SWITCHING } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import { headerValue, NO_HEADERS } from '../../api/headers.ts';
import { decodeUnaryRequest } from '../../api/proto/peer-decoding.ts';
import { encodeUnaryReply } from '../../api/proto/peer-encoding.ts';
import type { TunnelMessage } from '../../api/proto/tunnel.ts';
import { carriedProtocol } from '../../api/upgrade.ts';
import type { Cancel } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { type FrameSink, unreadable } from '../link/messages.ts';
import { TunnelReader, TunnelWriter } from '../link/tunnelled.ts';
import { readPeerCall } from './peer-call.ts';
import { HALF_A_CALL, HEAD_TIMEOUT_MS, NO_HEAD, type PeerCallDeps, TOO_MUCH_HELD } from './peer-exchange.ts';
import { GRPC_RESPONSE, NOT_WANTED, OK_TRAILERS } from './peer-reply.ts';

export interface PeerTunnelDeps extends PeerCallDeps {
  /** Beside WebSocket. */
  readonly upgradeProtocols: readonly string[];
}

export function servePeerTunnel(head: RequestHead, responder: Responder, deps: PeerTunnelDeps): RequestReceiver {
  const request = new TunnelRequest(headerValue(head.fields, 'grpc-timeout'), responder, deps);
  atTurnEnd(request);
  return request;
}

const NO_BYTES = Buffer.alloc(0);

type State =
  | { readonly kind: 'awaiting-head'; readonly cancelTimeout: Cancel | undefined }
  | { readonly kind: 'open'; readonly request: RequestEnd }
  | { readonly kind: 'ended' };

const AWAITING_HEAD: State = { kind: 'awaiting-head', cancelTimeout: undefined };
const ENDED: State = { kind: 'ended' };

class TunnelRequest implements RequestReceiver, TurnTask {
  readonly #deps: PeerTunnelDeps;
  readonly #grpcTimeout: string | undefined;
  readonly #reader = new TunnelReader();
  readonly #reply: TunnelReply;
  #state: State = AWAITING_HEAD;
  #heldBytes = 0;

  constructor(grpcTimeout: string | undefined, responder: Responder, deps: PeerTunnelDeps) {
    this.#deps = deps;
    this.#grpcTimeout = grpcTimeout;
    this.#reply = new TunnelReply(responder, () => this.#ended());
  }

  /** The head nearly always comes with its stream; a timer is for the peer that holds it back. */
  turnOver(): void {
    if (this.#state !== AWAITING_HEAD) return;
    const cancelTimeout = this.#deps.clock.after(HEAD_TIMEOUT_MS, () => this.#refuse(NO_HEAD));
    this.#state = { kind: 'awaiting-head', cancelTimeout };
  }

  data(chunk: Buffer): Flow {
    if (this.#state.kind === 'ended') return 'ok';
    const messages = this.#reader.push(chunk);
    let flow: Flow = 'ok';
    if (!messages.ok) this.#refuse(messages.error);
    else if (!this.#hold()) this.#refuse(TOO_MUCH_HELD);
    else for (const message of messages.value) if (this.#take(message) === 'pause') flow = 'pause';
    return flow;
  }

  end(): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    if (state.kind !== 'open' || !this.#reader.isComplete) {
      this.#refuse(HALF_A_CALL);
      return;
    }
    state.request.end(NO_HEADERS);
    this.#reply.requestEnded();
  }

  abort(): void {
    this.cancel();
  }

  resume(): void {
    if (this.#state.kind === 'open') this.#state.request.resume();
  }

  cancel(): void {
    const state = this.#state;
    this.#ended();
    if (state.kind === 'open') state.request.cancel(fault('cancelled', 'the caller went away.'));
  }

  /** Counts what now waits for the rest of its message in place of what did before. False where there is no room. */
  #hold(): boolean {
    const more = this.#reader.heldBytes - this.#heldBytes;
    if (!this.#deps.held.take(more)) return false;
    this.#heldBytes += more;
    return true;
  }

  #take({ head, protocol, data }: TunnelMessage): Flow {
    if (head !== undefined) this.#begin(head, protocol);
    return data === undefined || this.#state.kind !== 'open' ? 'ok' : this.#state.request.data(data);
  }

  #begin(head: Buffer, protocol: string): void {
    const call = this.#readCall(head, protocol);
    if (!call.ok) {
      this.#refuse(call.error);
      return;
    }
    const request = this.#deps.open(call.value, this.#reply);
    // It may have been refused before it was open (E4).
    if (this.#state.kind !== 'awaiting-head') return;
    this.#state.cancelTimeout?.();
    this.#state = { kind: 'open', request };
  }

  #readCall(head: Buffer, protocol: string): Result<TunnelCall, Fault> {
    const message = decodeUnaryRequest(head);
    if (!message.ok) return err(unreadable(message.error));
    const call = readPeerCall(message.value.head, this.#grpcTimeout, this.#deps);
    if (!call.ok) return call;
    const carried = carriedProtocol(call.value.method, protocol, this.#deps.upgradeProtocols);
    if (carried === undefined) return err(notCarried(protocol));
    return ok({ ...call.value, kind: 'tunnel', protocol: carried, bodyBytes: undefined });
  }

  /** Ends both sides from here: the way is told, and the peer. */
  #refuse(reason: Fault): void {
    if (this.#state.kind === 'open') this.#state.request.abort(reason);
    this.#reply.abort(reason);
  }

  /** Nothing more is passed on. Said by the reply, too, when it is over. */
  #ended(): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    if (state.kind === 'awaiting-head') state.cancelTimeout?.();
    this.#state = ENDED;
    this.#deps.held.give(this.#heldBytes);
    this.#reader.drop();
  }
}

function notCarried(protocol: string): Fault {
  return fault(
    'unimplemented',
    `the sidecar of the called app carries no upgrade to "${excerpt(protocol)}"; start it with --upgrade-protocols, as the caller's, if it should.`,
  );
}

class TunnelReply implements ReplyEnd, FrameSink {
  readonly #responder: Responder;
  readonly #ended: () => void;
  readonly #writer = new TunnelWriter(this);
  #state: 'none' | 'headed' | 'ended' = 'none';
  #isTunnel = false;
  #isRequestOver = false;
  #isReplyOver = false;

  /** `ended` is called once, when everything is said. */
  constructor(responder: Responder, ended: () => void) {
    this.#responder = responder;
    this.#ended = ended;
  }

  head({ status, headers, bodyBytes }: ReplyHead): void {
    this.#isTunnel = status === SWITCHING;
    const all = bodyBytes === undefined ? headers : [...headers, 'content-length', String(bodyBytes)];
    this.#writer.head(encodeUnaryReply({ status, headers: all }, NO_BYTES));
  }

  data(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  /** gRPC ends a stream with the reply; so in a tunnel that the caller has not ended yet, it is a message that says so. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#isReplyOver = true;
    if (this.#isTunnel) this.#writer.end();
    if (!this.#isTunnel || this.#isRequestOver) this.#finish(OK_TRAILERS);
  }

  /** Of the tunnel, the caller writes no more. */
  requestEnded(): void {
    this.#isRequestOver = true;
    if (this.#isReplyOver && this.#state !== 'ended') this.#finish(OK_TRAILERS);
  }

  abort(reason: Fault): void {
    if (this.#state !== 'ended') this.#finish(faultTrailers(reason));
  }

  resume(): void {
    this.#responder.resume();
  }

  /** Nothing is left of a tunnel then (E6). */
  cancel(reason: Fault): void {
    if (this.#isTunnel) this.abort(reason);
    else this.#responder.cancel(NOT_WANTED);
  }

  send(bytes: Buffer): Flow {
    if (this.#state === 'ended') return 'ok';
    if (this.#state === 'none') this.#responder.head(GRPC_RESPONSE);
    this.#state = 'headed';
    return this.#responder.data(bytes);
  }

  #finish(trailers: readonly string[]): void {
    if (this.#state === 'headed') {
      this.#responder.end(trailers);
    } else {
      this.#responder.head({ ...GRPC_RESPONSE, fields: [...GRPC_RESPONSE.fields, ...trailers] });
      this.#responder.end(NO_HEADERS);
    }
    this.#state = 'ended';
    this.#ended();
  }
}
