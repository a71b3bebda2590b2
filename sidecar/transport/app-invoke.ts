// Transport of an HTTP call to an app that speaks gRPC: one attempt, as the unary call AppCallback/OnInvoke.
//
//   the caller's side                              the app's side
//     ── open, data, end ──▶ OnInvoke ── InvokeRequest in one message ──▶ openAppGrpc: a native call like any other
//     ◀─ head, data, end ──           ◀─ InvokeAnswer: gathered ─────────
//
// A message says first how long it is. A body of known length passes as it comes; another is gathered before the app hears of
// the call. Everything that is held counts against one bound for all calls (link/whole-bodies.ts).
import type { Call } from '../../api/call.ts';
import { closedRequest, type Flow, type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { encodeInvokeRequestFront, type InvokeRequestHead } from '../../api/proto/invoke.ts';
import { GatheredBytes } from '../../kit/gathered-bytes.ts';
import { Hold } from '../../kit/hold.ts';
import { must } from '../../kit/result.ts';
import { frameFront } from '../../wire/grpc-frame.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { type WholeBodies, wholeBodies } from '../link/whole-bodies.ts';
import { wrongLength } from './app-faults.ts';
import { InvokeAnswer, type Invoked, type WholeReply } from './app-invoke-answer.ts';
import { invokeMetadata, invokeRequestHead, neverIndexedMetadata } from './app-invoke-head.ts';

const ON_INVOKE = must(canonicalPath('/dapr.proto.runtime.v1.AppCallback/OnInvoke'));
/** A reader of a stream takes no larger pieces than a socket gives. */
const PIECE_BYTES = 64 * 1024;

export interface AppInvokeDeps extends WholeBodies {
  /** A native gRPC call to the app. */
  readonly openGrpc: (call: PermittedCall, reply: ReplyEnd) => RequestEnd;
}

export function appInvokeDeps(openGrpc: AppInvokeDeps['openGrpc'], bodyBytesMax: number): AppInvokeDeps {
  return { openGrpc, ...wholeBodies(bodyBytesMax) };
}

export function openAppInvoke(call: PermittedCall, reply: ReplyEnd, deps: AppInvokeDeps): RequestEnd {
  const head = invokeRequestHead(call);
  if (!head.ok) return refuse(reply, head.error);
  const { bodyBytes } = call;
  if (bodyBytes !== undefined && bodyBytes > deps.bodyBytesMax) return refuse(reply, tooLarge(call, deps));
  const invoke = new OnInvoke(call, head.value, reply, deps);
  if (bodyBytes !== undefined) invoke.send(bodyBytes);
  return invoke;
}

type State =
  /** For the length. */
  | { readonly kind: 'gathering'; readonly body: GatheredBytes }
  | { readonly kind: 'sending'; readonly request: RequestEnd; leftBytes: number }
  | { readonly kind: 'replying'; readonly body: Buffer; readonly trailers: Headers; at: number }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };

class OnInvoke implements RequestEnd, Invoked {
  readonly #call: PermittedCall;
  readonly #head: InvokeRequestHead;
  readonly #reply: ReplyEnd;
  readonly #deps: AppInvokeDeps;
  readonly #hold: Hold;
  #state: State;

  constructor(call: PermittedCall, head: InvokeRequestHead, reply: ReplyEnd, deps: AppInvokeDeps) {
    this.#call = call;
    this.#head = head;
    this.#reply = reply;
    this.#deps = deps;
    this.#hold = new Hold(deps.held);
    this.#state = { kind: 'gathering', body: new GatheredBytes(deps.bodyBytesMax) };
  }

  /** The beginning of the message; the body is pushed after it. */
  send(bodyBytes: number): void {
    const { openGrpc, bodyBytesMax } = this.#deps;
    const sending: State = { kind: 'sending', request: closedRequest, leftBytes: bodyBytes };
    this.#state = sending;
    const request = openGrpc(nativeCall(this.#call), new InvokeAnswer(this, bodyBytesMax));
    // It may have been refused already (E4).
    if (this.#state !== sending) return;
    this.#state = { ...sending, request };
    request.data(frameFront(encodeInvokeRequestFront(this.#head, bodyBytes), bodyBytes));
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'gathering') this.#gather(state, chunk);
    if (state.kind !== 'sending') return 'ok';
    state.leftBytes -= chunk.length;
    if (state.leftBytes >= 0) return state.request.data(chunk);
    this.#fail(wrongLength(this.#call));
    return 'ok';
  }

  end(): void {
    if (this.#state.kind === 'gathering') this.#sendAll(this.#state.body.take());
    const state = this.#state;
    if (state.kind !== 'sending') return;
    if (state.leftBytes === 0) state.request.end([]);
    else this.#fail(wrongLength(this.#call));
  }

  abort(reason: Fault): void {
    this.#leave()?.abort(reason);
  }

  resume(): void {
    if (this.#state.kind === 'replying') this.#pushReply();
  }

  cancel(reason: Fault): void {
    this.#leave()?.cancel(reason);
  }

  // What the answer comes to.

  mayGoOn(): void {
    if (this.#state.kind === 'sending') this.#reply.resume();
  }

  hold(bytes: number): boolean {
    if (this.#state.kind === 'done') return false;
    if (this.#hold.take(bytes)) return true;
    const message = `the sidecar of ${this.#name} holds as many answers of its app as it can, and had no room for this one; the app has seen the call.`;
    this.#fail(fault('app-broke', message));
    return false;
  }

  answered({ head, body, trailers }: WholeReply): void {
    if (this.#state.kind === 'done') return;
    this.#state = { kind: 'replying', body, trailers, at: 0 };
    this.#reply.head(head);
    this.#pushReply();
  }

  failed(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave();
    this.#reply.abort(reason);
  }

  useless(why: string): void {
    this.#fail(fault('app-broke', `the app of ${this.#name} ${why}.`));
  }

  #sendAll(body: Buffer): void {
    this.send(body.length);
    if (body.length > 0) this.data(body);
  }

  #gather(state: State & { readonly kind: 'gathering' }, chunk: Buffer): void {
    if (!state.body.push(chunk)) this.#fail(tooLarge(this.#call, this.#deps));
    else if (!this.#hold.take(chunk.length)) this.#fail(noRoom(this.#call));
  }

  /** Piece by piece, at the speed of whoever reads. */
  #pushReply(): void {
    const state = this.#state;
    if (state.kind !== 'replying') return;
    while (state.at < state.body.length && this.#state === state) {
      const piece = state.body.subarray(state.at, state.at + PIECE_BYTES);
      state.at += piece.length;
      if (this.#reply.data(piece) === 'pause') return;
    }
    if (this.#state !== state) return;
    this.#leave();
    this.#reply.end(state.trailers);
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave()?.cancel(reason);
    this.#reply.abort(reason);
  }

  /** Gives the app's side, to be told, if it has not answered yet. */
  #leave(): RequestEnd | undefined {
    const state = this.#state;
    this.#state = DONE;
    this.#hold.release();
    return state.kind === 'sending' ? state.request : undefined;
  }

  get #name(): string {
    return targetName(this.#call.target);
  }
}

/** The same call in other words: what was permitted of it, its path, is in its message. */
function nativeCall(call: PermittedCall): PermittedCall {
  return {
    ...call,
    kind: 'grpc',
    method: 'POST',
    path: ON_INVOKE,
    query: '',
    headers: invokeMetadata(call),
    ...neverIndexedMetadata(call),
    bodyBytes: undefined,
  };
}

function tooLarge({ target }: Call, { bodyBytesMax }: AppInvokeDeps): Fault {
  const message = `the body is larger than ${bodyBytesMax} bytes, which is all that the sidecar of ${targetName(target)} takes for an app that speaks gRPC.`;
  return fault('body-too-large', message);
}

function noRoom({ target }: Call): Fault {
  const message = `the sidecar of ${targetName(target)} holds as many bodies for its app as it can; nothing reached the app. Try again, or send the length of the body ahead of it.`;
  return fault('app-unreachable', message);
}
