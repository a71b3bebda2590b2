// A native gRPC call as it goes out, to a peer or to the app: a way's exchange to a stream of HTTP/2, and the answer back.
// Messages pass as they are. What the two places differ in (where a connection comes from, what the head says, what a failure
// means) is said by the subclasses.
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { grpcEndToEnd, type Headers, headerValue } from '../../api/headers.ts';
import type { Cancel } from '../../kit/clock.ts';
import { excerpt } from '../../kit/text.ts';
import { HEAD_TOO_LARGE, type Http2ClientConnection } from '../../wire/http2/client.ts';
import {
  NOBODY,
  type Requester,
  type RequestHead,
  type ResponseHead,
  type ResponseReceiver,
  type WireFailure,
} from '../../wire/message.ts';
import { isGrpc } from './grpc-serving.ts';

/** A connection to call on, or why there is none. */
export type Connected =
  | { readonly ok: true; readonly connection: Http2ClientConnection }
  | { readonly ok: false; readonly fault: Fault };

type State =
  /** What was pushed meanwhile waits here: at most what one `pause` lets through. */
  | { readonly kind: 'connecting'; cancel: Cancel; readonly held: Buffer[]; isEnded: boolean }
  | { readonly kind: 'open'; readonly requester: Requester }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };
const GIVEN_UP: WireFailure = { kind: 'reset', reason: 'the call was given up' };
const METADATA_TOO_LARGE = fault(
  'headers-too-large',
  'the metadata of the call is larger than the called app, or its sidecar, takes; nothing reached it.',
);

export abstract class GrpcAttempt implements RequestEnd {
  readonly #reply: ReplyEnd;
  #state: State = DONE;

  constructor(reply: ReplyEnd) {
    this.#reply = reply;
  }

  /** What to call on, if it is known already: most calls need not wait. */
  protected abstract ready(): Http2ClientConnection | undefined;
  /** Calls `use` once, now or later, unless it is cancelled first. */
  protected abstract connect(use: (connected: Connected) => void): Cancel;
  /** Made when there is a connection: what is left of the time is known only then. */
  protected abstract head(): RequestHead;

  /** The fault that an answer's status tells of; undefined where the status is the app's own. */
  abstract faultIn(status: Headers): Fault | undefined;
  /** Proven: nobody has looked at the call. */
  abstract notSeen(cause: string): Fault;
  abstract broke(cause: string): Fault;
  /** Who answers does not speak gRPC. */
  abstract noGrpc(cause: string): Fault;

  start(): void {
    const connection = this.ready();
    if (connection === undefined) this.#connect();
    else this.#open(connection);
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'open') return state.requester.data(chunk);
    if (state.kind === 'connecting') state.held.push(chunk);
    return 'pause';
  }

  end(): void {
    const state = this.#state;
    if (state.kind === 'open') state.requester.end([]);
    if (state.kind === 'connecting') state.isEnded = true;
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

  // What the answer comes to.

  complete(trailers: Headers): void {
    this.#state = DONE;
    this.#reply.end(trailers);
  }

  /** Whatever is still to come of it is not wanted. */
  fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#giveUp();
    this.#reply.abort(reason);
  }

  get #isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  #connect(): void {
    const state: State = { kind: 'connecting', cancel: () => undefined, held: [], isEnded: false };
    this.#state = state;
    state.cancel = this.connect((connected) => {
      if (this.#state !== state) return;
      if (!connected.ok) {
        this.fail(connected.fault);
        return;
      }
      this.#open(connected.connection);
      let flow: Flow = 'ok';
      for (const chunk of state.held) flow = this.data(chunk);
      if (state.isEnded) this.end();
      else if (flow === 'ok' && this.#isOpen) this.#reply.resume();
    });
  }

  #open(connection: Http2ClientConnection): void {
    const opening: State = { kind: 'open', requester: NOBODY };
    this.#state = opening;
    const requester = connection.request(this.head(), new GrpcAnswer(this, this.#reply));
    // It may have been refused already (E4).
    if (this.#state === opening) this.#state = { kind: 'open', requester };
  }

  #giveUp(): void {
    const state = this.#state;
    this.#state = DONE;
    if (state.kind === 'connecting') state.cancel();
    if (state.kind === 'open') state.requester.cancel(GIVEN_UP);
  }
}

class GrpcAnswer implements ResponseReceiver {
  readonly #attempt: GrpcAttempt;
  readonly #reply: ReplyEnd;
  /** The status came with the head, and the answer is nothing else (Trailers-Only). */
  #isStatusAlone = false;
  /** A sidecar's fault, and no answer of the app. */
  #refused: Fault | undefined;

  constructor(attempt: GrpcAttempt, reply: ReplyEnd) {
    this.#attempt = attempt;
    this.#reply = reply;
  }

  informational(): void {}

  head({ status, fields, neverIndexed }: ResponseHead): void {
    if (status !== 200 || !isGrpc(fields)) {
      const type = headerValue(fields, 'content-type') ?? 'none';
      this.#attempt.fail(
        this.#attempt.noGrpc(`it answered with HTTP status ${status} and content-type ${excerpt(type)}`),
      );
      return;
    }
    this.#isStatusAlone = headerValue(fields, 'grpc-status') !== undefined;
    if (this.#isStatusAlone) this.#refused = this.#attempt.faultIn(fields);
    if (this.#refused !== undefined) return;
    const headers = grpcEndToEnd(fields);
    this.#reply.head({ status, headers, bodyBytes: undefined, ...(neverIndexed && { neverIndexed }) });
  }

  data(chunk: Buffer): Flow {
    return this.#refused === undefined ? this.#reply.data(chunk) : 'ok';
  }

  end(trailers: Headers): void {
    const attempt = this.#attempt;
    const hasStatus = this.#isStatusAlone || headerValue(trailers, 'grpc-status') !== undefined;
    const refused = this.#refused ?? attempt.faultIn(trailers);
    if (refused !== undefined) attempt.fail(refused);
    else if (hasStatus) attempt.complete(grpcEndToEnd(trailers));
    else attempt.fail(attempt.broke('its answer ended without a grpc-status'));
  }

  /** `refused` proves that nobody has looked at the call. */
  abort(failure: WireFailure): void {
    const { kind, reason } = failure;
    if (failure === HEAD_TOO_LARGE) this.#attempt.fail(METADATA_TOO_LARGE);
    else this.#attempt.fail(kind === 'refused' ? this.#attempt.notSeen(reason) : this.#attempt.broke(reason));
  }

  resume(): void {
    this.#reply.resume();
  }

  cancel(failure: WireFailure): void {
    this.abort(failure);
  }
}
