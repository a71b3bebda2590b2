// The app API on HTTP/1.1: who may speak (guard), what is asked (a block's route, or else a call), and what happens to a
// request that is none.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Fault, fault } from '../../api/fault.ts';
import type { Log } from '../../kit/log.ts';
import { checkHead, checkToken, type GuardRules, guard } from './guard.ts';
import { type HttpCallDeps, type OnBroken, serveCall } from './http-call.ts';
import { HttpReply } from './http-reply.ts';
import { linger } from './linger.ts';
import { httpRefusalBytes } from './refuse.ts';
import { findRoute, type Route, serveRoute } from './routes.ts';

export interface AppHttpDeps extends HttpCallDeps {
  readonly rules: GuardRules;
  readonly routes: readonly Route[];
  readonly log: Log;
}

const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_TIMEOUT_MS = 10_000;
const HEAD_TIMEOUT_CHECK_MS = 2000;
const IDLE_CONNECTION_MS = 120_000;

/** A server for one listen address; it shares everything with its siblings. */
export function appHttpServer(deps: AppHttpDeps): Server {
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_TIMEOUT_MS,
    connectionsCheckingInterval: HEAD_TIMEOUT_CHECK_MS,
    // A call may take as long as its caller waits.
    requestTimeout: 0,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    noDelay: true,
    // The guard refuses a request without one, in our own words.
    requireHostHeader: false,
  });
  // Beyond its limit node:http drops fields in silence; the guard counts them instead, and refuses.
  server.maxHeadersCount = 0;
  const connections = new Connections(deps);
  const serve = (expectation: Expectation) => (request: IncomingMessage, response: ServerResponse) => {
    if (connections.isOver(request.socket)) return;
    const broken = checkHead(request.rawHeaders, request.httpVersion);
    if (broken !== undefined) connections.refuseLast(request, response, broken);
    else connections.began(request, response, serveOrSurvive(request, response, expectation, deps));
  };
  server.on('request', serve('none'));
  server.on('checkContinue', serve('100-continue'));
  server.on('checkExpectation', serve('unknown'));
  server.on('connect', (_request, socket) => {
    // node:http has let go of it, and of its errors.
    socket.on('error', () => undefined);
    refuseSocket(socket, fault('method-refused', 'CONNECT is not for calls; use any other verb.'), deps);
  });
  server.on('clientError', (error, socket) => connections.broke(socket, faultOfParseError(error)));
  return server;
}

/** A bug that one request finds is that request's misfortune, and a line in the log; the sidecar serves on. */
function serveOrSurvive(
  request: IncomingMessage,
  response: ServerResponse,
  expectation: Expectation,
  deps: AppHttpDeps,
): OnBroken {
  try {
    return serveRequest(request, response, expectation, deps);
  } catch (error) {
    deps.log.error('a bug in the app API', { reason: String(error), stack: error instanceof Error ? error.stack : '' });
    const bug = fault('internal', 'this sidecar has a bug that this request found; its log says more.');
    if (response.headersSent) response.destroy();
    else refuseRequest(request, response, bug, deps);
    return () => undefined;
  }
}

/** What the client waits for before it sends its body (RFC 9110, 10.1.1). */
type Expectation = 'none' | '100-continue' | 'unknown';

function serveRequest(
  request: IncomingMessage,
  response: ServerResponse,
  expectation: Expectation,
  deps: AppHttpDeps,
): OnBroken {
  const { rawHeaders, method = 'GET', url = '/' } = request;
  const refuse = (reason: Fault) => refuseRequest(request, response, reason, deps);
  const route = findRoute(deps.routes, method, url);
  const refused =
    guard(rawHeaders, url, deps.rules) ??
    (route?.isOpenToAll === true ? undefined : checkToken(rawHeaders, deps.rules.apiToken)) ??
    (expectation === 'unknown' ? UNKNOWN_EXPECTATION : undefined);
  if (refused !== undefined) {
    refuse(refused);
    return () => undefined;
  }
  const expectsContinue = expectation === '100-continue';
  if (route === undefined) return serveCall(request, response, expectsContinue, deps);
  if (expectsContinue) response.writeContinue();
  serveRoute(route, request, response, refuse);
  return refuse;
}

const UNKNOWN_EXPECTATION = fault(
  'bad-request',
  'the request expects something that this sidecar does not know; the only expectation is 100-continue.',
);

function refuseRequest(request: IncomingMessage, response: ServerResponse, reason: Fault, deps: AppHttpDeps): void {
  const discard = { resume: () => undefined, discard: () => void request.resume() };
  new HttpReply(request, response, undefined, discard, deps).refuse(reason);
}

/**
 * What to answer, and on which request's behalf, when a connection turns out not to speak HTTP/1.1 after all. An answer
 * that is under way must not be mixed with a refusal, or the client would take one for the other.
 */
class Connections {
  readonly #deps: AppHttpDeps;
  readonly #latest = new WeakMap<Duplex, Exchange>();
  readonly #over = new WeakSet<Duplex>();

  constructor(deps: AppHttpDeps) {
    this.#deps = deps;
  }

  began(request: IncomingMessage, response: ServerResponse, onBroken: OnBroken): void {
    this.#latest.set(request.socket, { request, response, onBroken });
  }

  /** Whether what arrives on it is no longer served, because nobody can tell any more where a request begins. */
  isOver(socket: Duplex): boolean {
    return this.#over.has(socket) || socket.writableEnded;
  }

  /** Refuses a request that is not to be followed by another. */
  refuseLast(request: IncomingMessage, response: ServerResponse, reason: Fault): void {
    this.#over.add(request.socket);
    response.shouldKeepAlive = false;
    refuseRequest(request, response, reason, this.#deps);
  }

  broke(socket: Duplex, reason: Fault | undefined): void {
    const latest = this.#latest.get(socket);
    if (reason === undefined) socket.destroy();
    // The parser says so again with whatever else arrives.
    if (reason === undefined || this.isOver(socket)) return;
    this.#over.add(socket);
    if (latest === undefined || latest.response.writableFinished) refuseSocket(socket, reason, this.#deps);
    else if (latest.request.complete)
      latest.response.once('finish', () => refuseSocket(socket, reason, this.#deps)); // it came after a good request
    else if (!latest.response.writableEnded) latest.onBroken(reason);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly onBroken: OnBroken;
}

/** The request could not be parsed, so there is no response object: the refusal is written by hand. */
function refuseSocket(socket: Duplex, reason: Fault, deps: AppHttpDeps): void {
  // It lingers already, or it is gone.
  if (!socket.writable) return;
  socket.write(httpRefusalBytes(reason, deps.statuses));
  if (socket instanceof Socket) linger(socket, deps.clock);
  else socket.end();
}

function faultOfParseError(error: Error & { code?: string }): Fault | undefined {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'HPE_HEADER_OVERFLOW':
      return fault('headers-too-large', `the request's headers are larger than ${HEAD_BYTES_MAX} bytes.`);
    case 'HPE_INVALID_METHOD':
      return fault('bad-request', 'the request begins with no HTTP verb that is known here.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return fault('bad-request', `the request's headers took longer than ${HEAD_TIMEOUT_MS / 1000} s to arrive.`);
    default:
      return fault('bad-request', `the request is not HTTP/1.1 as RFC 9112 has it (${error.message}).`, error.code);
  }
}
