// The app API on HTTP/1.1: who may speak (guard), what is asked (a block's route, or else a call), and what happens to a
// request that is none.
import { createServer, type Server, type Socket } from 'node:net';
import { fault } from '../../api/fault.ts';
import { FIELDS_MAX } from '../../api/headers.ts';
import { type Cancel, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import type { Refusal } from '../../wire/http1/refusal.ts';
import { http1Server } from '../../wire/http1/server.ts';
import type { Http1ServerConnection } from '../../wire/http1/server-options.ts';
import {
  NOBODY,
  type RequestHead,
  type RequestReceiver,
  type Responder,
  type WireFailure,
} from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { checkAsked, checkToken, type GuardRules, guard } from './guard.ts';
import { type HttpCallDeps, serveCall } from './http-call.ts';
import { HttpReply } from './http-reply.ts';
import { faultOfRequest } from './malformed.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';
import { findRoute, type Route, serveRoute } from './routes.ts';

export interface AppHttpDeps extends HttpCallDeps {
  readonly rules: GuardRules;
  readonly routes: readonly Route[];
  readonly statuses: StatusStyle;
  readonly log: Log;
  /** Counts what broke a rule of HTTP/1.1, or went past a limit, by the rule's name; there are only so many. */
  readonly countOffence: (rule: string) => void;
}

/** Of one listen address; further ones are closed as they come. */
const CONNECTIONS_MAX = 10_000;
const SWEEP_MS = 1000;
const IDLE_MS = 120_000;
const LIMITS = { headBytesMax: 64 * 1024, fieldsMax: FIELDS_MAX };

/** All servers of the app API, and the connections that are open on them. */
export class AppHttp {
  readonly #deps: AppHttpDeps;
  readonly #connections = new Map<Socket, Http1ServerConnection>();
  readonly #offences: SeldomLine;
  #isDraining = false;
  /** Runs while there is anything to sweep: an idle sidecar sleeps. */
  #stopSweeping: Cancel | undefined;

  constructor(deps: AppHttpDeps) {
    this.#deps = deps;
    this.#offences = new SeldomLine(deps.clock, (fields) => deps.log.warn('what came was no HTTP/1.1', fields));
  }

  /** A server for one listen address; it shares everything with its siblings. */
  server(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket));
    server.maxConnections = CONNECTIONS_MAX;
    return server;
  }

  /** Idle connections go at once, others after their answer. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, connection] of this.#connections) {
      const wasIdle = connection.phase === 'idle';
      connection.drain();
      // A client that does not look at a connection it keeps would not notice its end, and hold up ours.
      if (wasIdle) socket.destroySoon();
    }
  }

  destroy(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }

  #connected(socket: Socket): void {
    const { clock } = this.#deps;
    const connection: Http1ServerConnection = http1Server(
      socketLink(socket),
      (head, responder) => this.#serve(head, responder, connection),
      {
        elapsedMs: () => clock.elapsed(),
        limits: LIMITS,
        idleMs: IDLE_MS,
        refusal: this.#refusal,
        offence: this.#offence,
        closed: () => void this.#connections.delete(socket),
      },
    );
    this.#connections.set(socket, connection);
    if (this.#isDraining) connection.drain();
    else this.#stopSweeping ??= every(clock, SWEEP_MS, this.#sweep);
  }

  readonly #sweep = (): void => {
    const nowMs = this.#deps.clock.elapsed();
    for (const connection of this.#connections.values()) connection.sweep(nowMs);
    if (this.#connections.size > 0) return;
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
  };

  readonly #refusal = (failure: WireFailure): Refusal => httpRefusal(faultOfRequest(failure), this.#deps.statuses);

  readonly #offence = ({ reason }: WireFailure): void => {
    this.#deps.countOffence(reason);
    this.#offences.say({ rule: reason });
  };

  /** A bug that one request finds is that request's misfortune, and a line in the log; the sidecar serves on. */
  #serve(head: RequestHead, responder: Responder, connection: Http1ServerConnection): RequestReceiver {
    const reply = new HttpReply(responder, this.#deps.statuses);
    try {
      return this.#serveRequest(head, reply, connection);
    } catch (error) {
      const stack = error instanceof Error ? error.stack : '';
      this.#deps.log.error('a bug in the app API', { reason: String(error), stack });
      reply.abort(fault('internal', 'this sidecar has a bug that this request found; its log says more.'));
      return NOBODY;
    }
  }

  #serveRequest(head: RequestHead, reply: HttpReply, connection: Http1ServerConnection): RequestReceiver {
    const { rules, routes } = this.#deps;
    const unservable = checkAsked(head);
    if (unservable !== undefined) {
      connection.drain();
      reply.refuse(unservable);
      return NOBODY;
    }
    const route = findRoute(routes, head.method, head.target);
    const refused =
      guard(head, rules) ?? (route?.isOpenToAll === true ? undefined : checkToken(head.fields, rules.apiToken));
    if (refused !== undefined) {
      reply.refuse(refused);
      return NOBODY;
    }
    return route === undefined ? serveCall(head, reply, this.#deps) : serveRoute(route, head, reply);
  }
}
