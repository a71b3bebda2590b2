// One attempt at a call as a stream of HTTP/2, to a peer, to the app or out of the mesh: what is pushed while there is no connection waits, and
// it ends once. What the places differ in (what the head says, what is made of the bytes, who reads the answer, in what words it
// fails) is said by the subclasses.
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { type Headers, NO_HEADERS } from '../../api/headers.ts';
import type { Cancel } from '../../kit/clock.ts';
import type { Result } from '../../kit/result.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import { GIVEN_UP, NOBODY, type Requester, type RequestHead, type ResponseReceiver } from '../../wire/message.ts';

/** Where a connection to call on comes from. `Why` is what is said where there is none. */
export interface ConnectionSource<Why> {
  /** One that is known already: most calls need not wait. */
  readonly ready: Http2ClientConnection | undefined;
  /** Calls `use` once, now or later, unless it is cancelled first. */
  wait(use: (found: Result<Http2ClientConnection, Why>) => void): Cancel;
}

type State =
  /** What was pushed meanwhile waits here: at most what one `pause` lets through. */
  | { readonly kind: 'connecting'; cancel: Cancel; readonly held: Buffer[]; ended: Headers | undefined }
  | { readonly kind: 'open'; readonly requester: Requester }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };

export abstract class StreamAttempt<Why, Source extends ConnectionSource<Why>> implements RequestEnd {
  protected readonly source: Source;
  protected readonly reply: ReplyEnd;
  #state: State = DONE;

  constructor(reply: ReplyEnd, source: Source) {
    this.reply = reply;
    this.source = source;
  }

  /** There is no connection. */
  protected abstract notConnected(why: Why): Fault;
  /** Made when there is a connection: what is left of the time is known only then. */
  protected abstract head(): RequestHead;
  /** Who reads the answer. */
  protected abstract answer(): ResponseReceiver;

  /** The stream is open, and nothing was pushed into it yet. */
  protected opened(): void {}

  /** A piece of the request, on its way to the stream. */
  protected push(chunk: Buffer): Flow {
    return this.send(chunk);
  }

  /** The request's end, before the stream's. It may fail the attempt. */
  protected pushEnd(_trailers: Headers): void {}

  /** What the stream ends with. */
  protected lastFields(_trailers: Headers): Headers {
    return NO_HEADERS;
  }

  /** The attempt is over; what was not sent is not wanted. */
  protected left(): void {}

  start(): void {
    const connection = this.source.ready;
    if (connection === undefined) this.#connect();
    else this.#open(connection);
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'open') return this.push(chunk);
    if (state.kind === 'connecting') state.held.push(chunk);
    return 'pause';
  }

  end(trailers: Headers): void {
    const state = this.#state;
    if (state.kind === 'connecting') state.ended = trailers;
    if (state.kind !== 'open') return;
    this.pushEnd(trailers);
    if (this.#state === state) state.requester.end(this.lastFields(trailers));
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

  /** Bytes of the stream. */
  send(bytes: Buffer): Flow {
    return this.#state.kind === 'open' ? this.#state.requester.data(bytes) : 'ok';
  }

  // What the answer comes to.

  /** Whether anything is still to be told. */
  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  mayGoOn(): void {
    if (this.isOpen) this.reply.resume();
  }

  complete(trailers: Headers): void {
    if (!this.isOpen) return;
    this.settle();
    this.reply.end(trailers);
  }

  /** All was said. */
  protected settle(): void {
    this.left();
    this.#state = DONE;
  }

  /** Whatever is still to come of it is not wanted. */
  fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#giveUp();
    this.reply.abort(reason);
  }

  #connect(): void {
    const state: State = { kind: 'connecting', cancel: () => undefined, held: [], ended: undefined };
    this.#state = state;
    state.cancel = this.source.wait((found) => {
      if (this.#state !== state) return;
      if (!found.ok) {
        this.fail(this.notConnected(found.error));
        return;
      }
      this.#open(found.value);
      let flow: Flow = 'ok';
      for (const chunk of state.held) flow = this.data(chunk);
      if (state.ended !== undefined) this.end(state.ended);
      else if (flow === 'ok') this.mayGoOn();
    });
  }

  #open(connection: Http2ClientConnection): void {
    const opening: State = { kind: 'open', requester: NOBODY };
    this.#state = opening;
    const requester = connection.request(this.head(), this.answer());
    // It may have been refused already (E4).
    if (this.#state !== opening) return;
    this.#state = { kind: 'open', requester };
    this.opened();
  }

  #giveUp(): void {
    const state = this.#state;
    this.#state = DONE;
    if (state.kind === 'connecting') state.cancel();
    if (state.kind !== 'open') return;
    this.left();
    state.requester.cancel(GIVEN_UP);
  }
}
