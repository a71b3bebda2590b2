// Transport to the app: one attempt at one call, over HTTP/1.1 on loopback.
//
//   identify > authorize > resolve > resilience > [transport]
//
// The app is told who calls: the identity headers that it reads are written here, from the proven caller. Those in a
// peer's message (peer-head.ts) are for Dapr sidecars; ours ignores them.
import { type Flow, type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { endToEnd, type Headers, identityHeaders } from '../../api/headers.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { flawIn } from '../../wire/fields.ts';
import type {
  Fields,
  Requester,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
  WireFailure,
} from '../../wire/message.ts';
import type { AppConnection, AppPool, AppWaiter } from '../app/pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { appBroke, appUnreachable, noAppPort, unwritable, wrongLength } from './app-faults.ts';

export interface AppTransportDeps {
  readonly clock: Clock;
  /** Undefined for a program that only calls. */
  readonly pool: AppPool | undefined;
  /** Shows the app that the request comes from its own sidecar. */
  readonly token: string | undefined;
}

export function openApp(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps): RequestEnd {
  const { pool } = deps;
  if (pool === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppExchange(call, reply, pool, deps);
  attempt.start();
  return attempt;
}

/** Without a body unless one turns up: a peer that does not know sends no length either way. */
const USUALLY_BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** To the app's connection, of a call that is over: it reads no further. */
const GIVEN_UP: WireFailure = { kind: 'reset', reason: 'the call is over' };
const NO_HEADERS: Headers = [];

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
  | { readonly kind: 'sending'; readonly connection: AppConnection; readonly requester: Requester }
  | { readonly kind: 'done' };

const UNDECIDED: State = { kind: 'undecided' };
const DONE: State = { kind: 'done' };

class AppExchange implements RequestEnd, AppWaiter {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #pool: AppPool;
  readonly #deps: AppTransportDeps;
  #state: State = UNDECIDED;
  #pushedBytes = 0;

  constructor(call: PermittedCall, reply: ReplyEnd, pool: AppPool, deps: AppTransportDeps) {
    this.#call = call;
    this.#reply = reply;
    this.#pool = pool;
    this.#deps = deps;
  }

  start(): void {
    const { bodyBytes, method } = this.#call;
    if (bodyBytes !== undefined || !USUALLY_BODILESS.has(method)) this.#begin(bodyBytes);
  }

  // The request.

  data(chunk: Buffer): Flow {
    if (this.#state.kind === 'undecided') this.#begin(undefined);
    const { bodyBytes } = this.#call;
    this.#pushedBytes += chunk.length;
    if (bodyBytes !== undefined && this.#pushedBytes > bodyBytes) {
      this.#fail(wrongLength(this.#call));
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
    const { bodyBytes } = this.#call;
    if (bodyBytes !== undefined && this.#pushedBytes !== bodyBytes) {
      this.#fail(wrongLength(this.#call));
      return;
    }
    const flaw = flawIn(trailers);
    if (flaw !== undefined) {
      this.#fail(unwritable(this.#call, flaw));
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

  connected(connection: AppConnection): void {
    const state = this.#state;
    if (state.kind !== 'waiting' || !this.#send(connection, state.bodyBytes)) return;
    const { held, ended } = state;
    let flow: Flow = 'pause';
    for (const chunk of held) if (this.#state.kind === 'sending') flow = this.#state.requester.data(chunk);
    if (ended !== undefined) this.end(ended);
    else if (flow === 'ok') this.#reply.resume();
  }

  unreachable(cause: string): void {
    this.#fail(appUnreachable(this.#call, this.#pool.port, cause));
  }

  #begin(bodyBytes: number | undefined): void {
    const connection = this.#pool.take();
    if (connection === undefined) {
      this.#state = { kind: 'waiting', bodyBytes, held: [], ended: undefined };
      this.#pool.wait(this);
    } else if (!this.#send(connection, bodyBytes)) this.#pool.release(connection);
  }

  /** Whether the connection is in use now. It is not when the head is such that none may be written. */
  #send(connection: AppConnection, bodyBytes: number | undefined): boolean {
    const requester = connection.request(this.#head(bodyBytes), new Answer(this, this.#reply));
    if (this.#state.kind === 'done') return false;
    this.#state = { kind: 'sending', connection, requester };
    return true;
  }

  /** What the app reads. `host` is its own address, as Dapr has it: the caller's name for it means nothing here. */
  #head(bodyBytes: number | undefined): RequestHead {
    const { token, clock } = this.#deps;
    const { method, path, query, headers, caller, target, deadlineMs } = this.#call;
    const fields = headers.concat(identityHeaders(caller, target));
    if (token !== undefined) fields.push('dapr-api-token', token);
    if (deadlineMs !== undefined) fields.push('invoke-timeout', printTimeout(deadlineMs - clock.elapsed()));
    return {
      method,
      target: query === '' ? path : `${path}?${query}`,
      authority: this.#pool.authority,
      scheme: undefined,
      fields,
      bodyBytes,
      upgrade: undefined,
      expectsContinue: false,
    };
  }

  // The answer.

  /** It may have come before the end of the request; the rest of that is of no use to anybody. */
  completed(trailers: Headers): void {
    this.#release();
    this.#reply.end(trailers);
  }

  lost(failure: WireFailure): void {
    if (this.#state.kind === 'sending') this.#fail(appBroke(this.#call, failure));
    else this.#fail(unwritable(this.#call, failure.reason));
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

/** Takes the app's answer. Once the call is over, the connection tells it nothing more. */
class Answer implements ResponseReceiver {
  readonly #exchange: AppExchange;
  readonly #reply: ReplyEnd;

  constructor(exchange: AppExchange, reply: ReplyEnd) {
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
