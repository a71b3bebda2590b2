// The app API on gRPC: HTTP/2 without TLS, on loopback. Who may speak (guard), and what they call: a method of the sidecar's own
// (grpc-methods.ts), or else a service of another app, or of somebody outside of the mesh. Whatever is refused is told as gRPC tells it, in a status.
import { createServer, type Server, type Socket } from 'node:net';
import type { OutboundCall } from '../../api/call.ts';
import type { Open } from '../../api/exchange.ts';
import { type Callee, type Endpoints, isExternal, parseCallee } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerValues } from '../../api/headers.ts';
import type { Identity } from '../../api/ids.ts';
import { traced } from '../../api/trace.ts';
import type { Random } from '../../kit/backoff.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import { type Http2ServerConnection, http2Server } from '../../wire/http2/server.ts';
import type { RequestHead, RequestReceiver, Responder, WireFailure } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { isGrpc, refuseGrpc, serveGrpc } from '../link/grpc-serving.ts';
import { refuseNonGrpc } from '../link/not-grpc.ts';
import { externalGrpcCall, grpcCall, NOT_POSTED, readGrpcHead } from './grpc-head.ts';
import { type MethodCallDeps, serveMethod } from './grpc-method-call.ts';
import type { GrpcMethod, GrpcMethods } from './grpc-methods.ts';
import { checkToken, type GuardRules, guard } from './guard.ts';

export interface AppGrpcDeps extends MethodCallDeps {
  readonly open: Open<OutboundCall>;
  readonly methods: GrpcMethods;
  readonly self: Identity;
  /** What callers may name beside apps. */
  readonly outside: Snapshot<{ readonly endpoints: Endpoints }>;
  readonly bodyBytesMax: number;
  readonly hopsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly rules: GuardRules;
}

/** Of one listen address; further ones are closed as they come. */
const CONNECTIONS_MAX = 10_000;
/** Calls that an app may have open on one connection. */
const STREAMS_MAX = 1024;
/** A connection without calls is asked to go when it was seen so twice, and goes the third time: after two to three of these. */
const IDLE_LOOK_MS = 60_000;
const GRPC_ONLY = 'This port speaks gRPC alone. The HTTP API of this sidecar has a port of its own.';
const SILENT: WireFailure = { kind: 'closed', reason: 'no call came, and no answer to GOAWAY' };
const STOPPING: WireFailure = { kind: 'closed', reason: 'this sidecar is stopping' };

/** All servers of the gRPC port, and the connections that are open on them. */
export class AppGrpc {
  readonly #deps: AppGrpcDeps;
  /** Each with how many looks in a row have found no call on it. */
  readonly #connections = new Map<Http2ServerConnection, number>();
  /** Undefined where there is no connection: a sidecar without calls is not woken. */
  #cancelLook: Cancel | undefined;
  #isDraining = false;

  constructor(deps: AppGrpcDeps) {
    this.#deps = deps;
  }

  /** A server for one listen address; it shares everything with its siblings. */
  server(): Server {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#connected(socket));
    server.maxConnections = CONNECTIONS_MAX;
    return server;
  }

  /** Asks every connection to come to its end; the calls that are open on it go on. */
  drain(): void {
    this.#isDraining = true;
    this.#deps.methods.drain();
    for (const connection of this.#connections.keys()) connection.drain();
  }

  destroy(): void {
    for (const connection of this.#connections.keys()) connection.destroy(STOPPING);
  }

  #connected(socket: Socket): void {
    const { clock, log } = this.#deps;
    const closed = ({ kind, reason }: WireFailure) => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#stopLooking();
      if (kind === 'malformed' || kind === 'limit') log.debug('a connection to the gRPC port broke', { reason });
    };
    const connection = http2Server(
      socketLink(socket),
      (head, responder) => this.#serveOrSurvive(head, responder),
      { closed },
      { clock, streamsMax: STREAMS_MAX },
    );
    this.#connections.set(connection, 0);
    this.#cancelLook ??= every(clock, IDLE_LOOK_MS, () => this.#look());
    if (this.#isDraining) connection.drain();
  }

  /** A bug that one call finds is that call's misfortune, and a line in the log; the sidecar serves on. */
  #serveOrSurvive(head: RequestHead, responder: Responder): RequestReceiver {
    try {
      return serve(head, responder, this.#deps);
    } catch (error) {
      const stack = error instanceof Error ? error.stack : '';
      this.#deps.log.error('a bug in the app API', { reason: String(error), stack });
      return refuseGrpc(
        responder,
        fault('internal', 'this sidecar has a bug that this call found; its log says more.'),
      );
    }
  }

  #look(): void {
    for (const [connection, idleLooks] of this.#connections) {
      const looks = connection.streamCount === 0 ? idleLooks + 1 : 0;
      this.#connections.set(connection, looks);
      if (looks === 2) connection.drain();
      // A program that stands still, or never spoke HTTP/2, does not see that it was asked to hang up.
      if (looks > 2) connection.destroy(SILENT);
    }
  }

  #stopLooking(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }
}

function serve(head: RequestHead, responder: Responder, deps: AppGrpcDeps): RequestReceiver {
  if (!isGrpc(head.fields)) return refuseNonGrpc(responder, GRPC_ONLY);
  const { methods, rules } = deps;
  const method = methods.find(head.target);
  const refused =
    guard(head.authority, head.fields, rules) ??
    (method?.isOpenToAll === true ? undefined : checkToken(head.fields, rules.apiToken));
  if (refused !== undefined) return refuseGrpc(responder, refused);
  if (method !== undefined) return serveOwn(method, head, responder, deps);
  const call = readCall(head, deps);
  return call.ok ? serveGrpc(call.value, responder, deps) : refuseGrpc(responder, call.error);
}

function serveOwn(method: GrpcMethod, head: RequestHead, responder: Responder, deps: AppGrpcDeps): RequestReceiver {
  return head.method === 'POST' ? serveMethod(method, head, responder, deps) : refuseGrpc(responder, NOT_POSTED);
}

function readCall(head: RequestHead, deps: AppGrpcDeps): Result<OutboundCall, Fault> {
  const read = readGrpcHead(head, deps.clock, deps.hopsMax);
  if (!read.ok) return err(deps.methods.missing(head.target) ?? read.error);
  const { self, random } = deps;
  const callee = readCallee(head.fields, deps);
  if (!callee.ok) return callee;
  const headers = traced(read.value.headers, random);
  if (isExternal(callee.value)) return ok(externalGrpcCall(read.value, self, callee.value, headers));
  return ok(grpcCall(read.value, self, callee.value, headers));
}

function readCallee(fields: Headers, { self, outside }: AppGrpcDeps): Result<Callee, Fault> {
  const ids = [...headerValues(fields, 'dapr-app-id'), ...headerValues(fields, 'invoke-app-id')];
  const [id] = ids;
  if (id === undefined)
    return err(
      fault('no-target', 'the call names no app: send its id in the metadata dapr-app-id, as app or app.namespace.'),
    );
  if (ids.some((other) => other !== id))
    return err(fault('bad-request', 'the metadata names more than one app id; send one.'));
  const callee = parseCallee(id, self.namespace, outside.current().endpoints);
  return callee.ok ? callee : err(fault('bad-request', `${callee.error}.`));
}
