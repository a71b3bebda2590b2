// One call over one HTTP/1.1 connection of a pool: what an app and an outside service have in common. What is written to
// either, and in what words it fails, the subclass says.
import type { Call } from '../../api/call.ts';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { endToEnd, type Headers, NO_HEADERS } from '../../api/headers.ts';
import { flawIn } from '../../wire/fields.ts';
import {
  type Fields,
  GIVEN_UP,
  type Requester,
  type RequestHead,
  type ResponseHead,
  type ResponseReceiver,
  type WireFailure,
} from '../../wire/message.ts';
import type { Http1Connection, Http1Pool, Http1Waiter } from './http1-pool.ts';

/** What is looked at of a call here. */
type Sent = Pick<Call, 'method' | 'bodyBytes'>;

/** Without a body unless one turns up: a peer that does not know sends no length either way. */
const USUALLY_BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

type State =
  /** It shows with the first piece or the end whether there is a body. */
  | { readonly kind: 'undecided' }
  /** For a connection. What was pushed meanwhile is held: at most what one `pause` lets through. */
  | {
      readonly kind: 'waiting';
      readonly bodyBytes: number | undefined;
      readonly held: Buffer[];
      ended: Headers | undefined;
    }
  | { readonly kind: 'sending'; readonly connection: Http1Connection; readonly requester: Requester }
  | { readonly kind: 'done' };

const UNDECIDED: State = { kind: 'undecided' };
const DONE: State = { kind: 'done' };

export abstract class Http1Exchange<C extends Sent, Why> implements RequestEnd, Http1Waiter<Why> {
  protected readonly call: C;
  readonly #reply: ReplyEnd;
  readonly #pool: Http1Pool<Why>;
  #state: State = UNDECIDED;
  #pushedBytes = 0;

  constructor(call: C, reply: ReplyEnd, pool: Http1Pool<Why>) {
    this.call = call;
    this.#reply = reply;
    this.#pool = pool;
  }

  /** What the server reads. */
  protected abstract head(bodyBytes: number | undefined): RequestHead;
  /** There is no connection. */
  protected abstract notConnected(why: Why): Fault;
  /** From the moment that a request is given to a connection, nobody can tell what the server has seen of it. */
  protected abstract broke(failure: WireFailure): Fault;
  protected abstract wrongLength(): Fault;
  protected abstract unwritable(flaw: string): Fault;

  start(): void {
    const { bodyBytes, method } = this.call;
    if (bodyBytes !== undefined || !USUALLY_BODILESS.has(method)) this.#begin(bodyBytes);
  }

  // The request.

  data(chunk: Buffer): Flow {
    if (this.#state.kind === 'undecided') this.#begin(undefined);
    const { bodyBytes } = this.call;
    this.#pushedBytes += chunk.length;
    if (bodyBytes !== undefined && this.#pushedBytes > bodyBytes) {
      this.#fail(this.wrongLength());
      return 'ok';
    }
    const state = this.#state;
    if (state.kind === 'sending') return state.requester.data(chunk);
    if (state.kind !== 'waiting') return 'ok';
    state.held.push(chunk);
    return 'pause';
  }

  end(trailers: Headers): void {
    if (this.#state.kind === 'undecided') this.#begin(0);
    const { bodyBytes } = this.call;
    if (bodyBytes !== undefined && this.#pushedBytes !== bodyBytes) {
      this.#fail(this.wrongLength());
      return;
    }
    const flaw = flawIn(trailers);
    if (flaw !== undefined) {
      this.#fail(this.unwritable(flaw));
      return;
    }
    const state = this.#state;
    if (state.kind === 'sending') state.requester.end(trailers);
    else if (state.kind === 'waiting') state.ended = trailers;
  }

  abort(_reason: Fault): void {
    this.#leave();
  }

  resume(): void {
    if (this.#state.kind === 'sending') this.#state.requester.resume();
  }

  cancel(_reason: Fault): void {
    this.#leave();
  }

  // The connection.

  connected(connection: Http1Connection): void {
    const state = this.#state;
    if (state.kind !== 'waiting' || !this.#send(connection, state.bodyBytes)) return;
    const { held, ended } = state;
    let flow: Flow = 'pause';
    for (const chunk of held) if (this.#state.kind === 'sending') flow = this.#state.requester.data(chunk);
    if (ended !== undefined) this.end(ended);
    else if (flow === 'ok') this.#reply.resume();
  }

  unreachable(why: Why): void {
    this.#fail(this.notConnected(why));
  }

  #begin(bodyBytes: number | undefined): void {
    const connection = this.#pool.take();
    if (connection === undefined) {
      this.#state = { kind: 'waiting', bodyBytes, held: [], ended: undefined };
      this.#pool.wait(this);
    } else if (!this.#send(connection, bodyBytes)) this.#pool.release(connection);
  }

  /** Whether the connection is in use now. It is not when the head is such that none may be written. */
  #send(connection: Http1Connection, bodyBytes: number | undefined): boolean {
    const requester = connection.request(this.head(bodyBytes), new Answer(this, this.#reply));
    if (this.#state.kind === 'done') return false;
    this.#state = { kind: 'sending', connection, requester };
    return true;
  }

  // The answer.

  /** It may have come before the end of the request; the rest of that is of no use to anybody. */
  completed(trailers: Headers): void {
    this.#release();
    this.#reply.end(trailers);
  }

  lost(failure: WireFailure): void {
    if (this.#state.kind === 'sending') this.#fail(this.broke(failure));
    else this.#fail(this.unwritable(failure.reason));
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave();
    this.#reply.abort(reason);
  }

  #leave(): void {
    const state = this.#state;
    if (state.kind === 'waiting') this.#pool.leave(this);
    if (state.kind === 'sending') state.requester.cancel(GIVEN_UP);
    this.#release();
  }

  #release(): void {
    const state = this.#state;
    this.#state = DONE;
    if (state.kind === 'sending') this.#pool.release(state.connection);
  }
}

/** Who is told how an answer ended. */
interface Told {
  completed(trailers: Headers): void;
  lost(failure: WireFailure): void;
}

/** Takes the server's answer. Once the call is over, the connection tells it nothing more. */
class Answer implements ResponseReceiver {
  readonly #exchange: Told;
  readonly #reply: ReplyEnd;

  constructor(exchange: Told, reply: ReplyEnd) {
    this.#exchange = exchange;
    this.#reply = reply;
  }

  /** For this hop alone. */
  informational(): void {}

  head({ status, fields, bodyBytes }: ResponseHead): void {
    this.#reply.head({ status, headers: endToEnd(fields), bodyBytes });
  }

  data(chunk: Buffer): Flow {
    return this.#reply.data(chunk);
  }

  end(trailers: Fields): void {
    this.#exchange.completed(trailers.length === 0 ? NO_HEADERS : endToEnd(trailers));
  }

  abort(failure: WireFailure): void {
    this.#exchange.lost(failure);
  }

  resume(): void {
    this.#reply.resume();
  }

  /** Of tunnels alone. */
  cancel(): void {}
}
