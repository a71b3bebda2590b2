// Transport to the app: one attempt at one call, over HTTP/1.1 on loopback.
//
//   identify > authorize > resolve > resilience > [transport]
//
// The app is told who calls: the identity headers that it reads are written here, from the proven caller. Those in a
// peer's message (peer-head.ts) are for Dapr sidecars; ours ignores them.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { contentLength, endToEnd, FIELDS_MAX, type Headers, headerPairs, identityHeaders } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { authority } from '../app/address.ts';
import type { AppAgent } from '../app/agent.ts';
import type { PermittedCall } from '../authorize/authorize.ts';

export interface AppTransportDeps {
  readonly clock: Clock;
  readonly agent: AppAgent;
  readonly host: string;
  /** Undefined for a program that only calls. */
  readonly port: number | undefined;
  /** Shows the app that the request comes from its own sidecar. */
  readonly token: string | undefined;
}

/** The largest response head taken from an app. */
const HEAD_BYTES_MAX = 64 * 1024;

/** Without a body unless one turns up: a peer that does not know sends no length either way. */
const USUALLY_BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

export function openApp(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps): RequestEnd {
  const attempt = new AppExchange(call, reply, deps);
  attempt.start();
  return attempt;
}

type State =
  /** It shows with the first piece or the end whether there is a body. */
  | { readonly kind: 'undecided' }
  | {
      readonly kind: 'sending';
      readonly request: ClientRequest;
      isConnected: boolean;
      response: IncomingMessage | undefined;
    }
  | { readonly kind: 'done' };

class AppExchange implements RequestEnd {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #deps: AppTransportDeps;
  #state: State = { kind: 'undecided' };
  #sentBytes = 0;

  constructor(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps) {
    this.#call = call;
    this.#reply = reply;
    this.#deps = deps;
  }

  start(): void {
    const { bodyBytes, method } = this.#call;
    if (this.#deps.port === undefined) {
      this.#fail(
        fault('app-unreachable', `${this.#name} has no app port, so it takes no calls; start it with --app-port.`),
      );
    } else if (bodyBytes !== undefined || !USUALLY_BODILESS.has(method)) {
      this.#send(bodyBytes === undefined ? ['transfer-encoding', 'chunked'] : lengthHeader(method, bodyBytes));
    }
  }

  data(chunk: Buffer): Flow {
    if (this.#state.kind === 'undecided') this.#send(['transfer-encoding', 'chunked']);
    const state = this.#state;
    if (state.kind !== 'sending') return 'ok';
    this.#sentBytes += chunk.length;
    if (this.#call.bodyBytes !== undefined && this.#sentBytes > this.#call.bodyBytes) {
      this.#fail(this.#wrongLength());
      return 'ok';
    }
    return state.request.write(chunk) ? 'ok' : 'pause';
  }

  end(trailers: Headers): void {
    if (this.#state.kind === 'undecided') this.#send([]);
    const state = this.#state;
    if (state.kind !== 'sending') return;
    if (this.#call.bodyBytes !== undefined && this.#sentBytes !== this.#call.bodyBytes) {
      this.#fail(this.#wrongLength());
      return;
    }
    if (trailers.length > 0 && this.#call.bodyBytes === undefined) state.request.addTrailers(headerPairs(trailers));
    state.request.end();
  }

  abort(_reason: Fault): void {
    this.#leave();
  }

  resume(): void {
    if (this.#state.kind === 'sending') this.#state.response?.resume();
  }

  cancel(_reason: Fault): void {
    this.#leave();
  }

  get #name(): string {
    return targetName(this.#call.target);
  }

  #send(framing: Headers): void {
    const { host, port, agent } = this.#deps;
    const { method, path, query } = this.#call;
    const request = requestHttp({
      agent,
      host,
      port: port ?? 0,
      method,
      path: query === '' ? path : `${path}?${query}`,
      headers: [...this.#headers(), ...framing],
      maxHeaderSize: HEAD_BYTES_MAX,
    });
    const state: State = { kind: 'sending', request, isConnected: false, response: undefined };
    this.#state = state;
    request.maxHeadersCount = 0;
    request.once('socket', (socket) => {
      if (!socket.connecting) state.isConnected = true;
      else
        socket.once('connect', () => {
          state.isConnected = true;
        });
    });
    request.on('response', (response) => this.#answered(response));
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      this.#fail(this.#broke('it switched protocols without being asked'));
    });
    request.on('drain', () => this.#reply.resume());
    request.on('error', (error) => this.#failed(error));
    // A body that is slow to come must not hold back its head.
    setImmediate(() => request.flushHeaders());
  }

  /** What the app reads. `host` is its own address, as Dapr has it: the caller's name for it means nothing here. */
  #headers(): Headers {
    const { host, port, token, clock } = this.#deps;
    const { headers, caller, target, deadlineMs } = this.#call;
    return [
      'host',
      authority(host, port ?? 0),
      ...headers,
      ...identityHeaders(caller, target),
      ...(token === undefined ? [] : ['dapr-api-token', token]),
      ...(deadlineMs === undefined ? [] : ['invoke-timeout', printTimeout(deadlineMs - clock.elapsed())]),
    ];
  }

  #answered(response: IncomingMessage): void {
    const state = this.#state;
    if (state.kind !== 'sending') {
      response.destroy();
      return;
    }
    const { statusCode: status = 0 } = response;
    if (status < 200 || status > 599) {
      this.#fail(this.#broke(`it answered with the status ${status}, which no HTTP answer has`));
      return;
    }
    // Beyond its own limit node:http would drop fields in silence.
    if (response.rawHeaders.length / 2 > FIELDS_MAX) {
      this.#fail(this.#broke(`it answered with more than ${FIELDS_MAX} header fields`));
      return;
    }
    state.response = response;
    this.#deps.agent.answered(response);
    response.on('data', (chunk: Buffer) => {
      if (this.#reply.data(chunk) === 'pause') response.pause();
    });
    response.on('error', () => undefined);
    response.on('end', () => this.#complete(response));
    response.on('close', () => {
      if (!response.complete) this.#fail(this.#broke('it closed the connection in the middle of its answer'));
    });
    this.#reply.head({
      status,
      headers: endToEnd(response.rawHeaders),
      bodyBytes: contentLength(response.rawHeaders),
    });
  }

  #complete(response: IncomingMessage): void {
    if (this.#state.kind !== 'sending' || !response.complete) return;
    const { request } = this.#state;
    this.#state = { kind: 'done' };
    // An answer before the end of the request: the rest of the request is of no use to anybody.
    if (!request.writableEnded) request.destroy();
    this.#reply.end(endToEnd(response.rawTrailers));
  }

  #failed(error: Error): void {
    const state = this.#state;
    if (state.kind !== 'sending') return;
    // It has answered all, and closed before it had read all: its answer counts, and ends in a moment.
    if (state.response?.complete) return;
    if (state.isConnected) {
      this.#fail(this.#broke(error.message));
      return;
    }
    const { port } = this.#deps;
    const message = `${this.#name} does not listen on its app port ${port}; nothing reached it. Is the app still starting, or does it listen elsewhere (--app-port)?`;
    this.#fail(fault('app-unreachable', message, error.message));
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave();
    this.#reply.abort(reason);
  }

  #leave(): void {
    const state = this.#state;
    this.#state = { kind: 'done' };
    if (state.kind === 'sending') state.request.destroy();
  }

  #broke(cause: string): Fault {
    const message = `the connection to the app of ${this.#name} broke before its answer was complete; it may have seen the call. Look at the app's log.`;
    return fault('app-broke', message, cause);
  }

  #wrongLength(): Fault {
    return fault('bad-request', `the body of the call to ${this.#name} is not as long as its content-length says.`);
  }
}

/** A length of 0 is said where a body is usual, so that a server does not wait for one. */
function lengthHeader(method: string, bodyBytes: number): Headers {
  return bodyBytes === 0 && USUALLY_BODILESS.has(method) ? [] : ['content-length', String(bodyBytes)];
}
