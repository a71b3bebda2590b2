// The app API on HTTP/1.1: who may speak (guard), what is asked (a block's route, or else a call), and what happens to a
// request that is none.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Fault, fault } from '../../api/fault.ts';
import { checkToken, type GuardRules, guard } from './guard.ts';
import { type HttpCallDeps, serveCall } from './http-call.ts';
import { HttpReply } from './http-reply.ts';
import { linger } from './linger.ts';
import { httpRefusalBytes } from './refuse.ts';
import { findRoute, type Route, serveRoute } from './routes.ts';

export interface AppHttpDeps extends HttpCallDeps {
  readonly rules: GuardRules;
  readonly routes: readonly Route[];
}

const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_TIMEOUT_MS = 10_000;
const IDLE_CONNECTION_MS = 120_000;

/** A server for one listen address; it shares everything with its siblings. */
export function appHttpServer(deps: AppHttpDeps): Server {
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_TIMEOUT_MS,
    // A call may take as long as its caller waits.
    requestTimeout: 0,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    noDelay: true,
  });
  // Beyond its limit node:http drops fields in silence; the guard counts them instead, and refuses.
  server.maxHeadersCount = 0;
  server.on('request', (request, response) => serve(request, response, false, deps));
  server.on('checkContinue', (request, response) => serve(request, response, true, deps));
  server.on('connect', (_request, socket) => {
    refuseSocket(socket, fault('method-refused', 'CONNECT is not for calls; use any other verb.'), deps);
  });
  server.on('clientError', (error, socket) => refuseSocket(socket, faultOfParseError(error), deps));
  return server;
}

function serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, deps: AppHttpDeps): void {
  const { rawHeaders, method = 'GET', url = '/' } = request;
  const route = findRoute(deps.routes, method, url);
  const refused =
    guard(rawHeaders, url, deps.rules) ??
    (route?.isOpenToAll === true ? undefined : checkToken(rawHeaders, deps.rules.apiToken));
  if (refused !== undefined) refuseRequest(request, response, refused, deps);
  else if (route === undefined) serveCall(request, response, expectsContinue, deps);
  else serveRoute(route, request, response, (reason) => refuseRequest(request, response, reason, deps));
}

function refuseRequest(request: IncomingMessage, response: ServerResponse, reason: Fault, deps: AppHttpDeps): void {
  const discard = { resume: () => undefined, discard: () => void request.resume() };
  new HttpReply(request, response, undefined, discard, deps).refuse(reason);
}

/** The request could not be parsed, so there is no response object: the refusal is written by hand. */
function refuseSocket(socket: Duplex, reason: Fault | undefined, deps: AppHttpDeps): void {
  if (reason === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
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
