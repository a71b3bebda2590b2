// The app API on HTTP/1.1: who may speak (guard), what is asked (a block's route, or else a call), and what happens to a
// request that is none.
import { fault } from '../../api/fault.ts';
import { FIELDS_MAX } from '../../api/headers.ts';
import type { Log } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import type { Http1ServerConnection } from '../../wire/http1/server-options.ts';
import { NOBODY, type RequestHead, type RequestReceiver, type Responder } from '../../wire/message.ts';
import { checkAsked, checkToken, type GuardRules, guard } from './guard.ts';
import { type HttpCallDeps, serveCall } from './http-call.ts';
import { HttpReply } from './http-reply.ts';
import { Http1Edge } from './http1-edge.ts';
import { faultOfRequest } from './malformed.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';
import { findRoute, type Route, serveRoute } from './routes.ts';
import { saidToSidecar } from './said.ts';

export interface AppHttpDeps extends HttpCallDeps {
  readonly rules: GuardRules;
  readonly routes: readonly Route[];
  readonly statuses: StatusStyle;
  readonly log: Log;
  /** Counts what broke a rule of HTTP/1.1, or went past a limit, by the rule's name; there are only so many. */
  readonly countOffence: (rule: string) => void;
}

const CONNECTIONS_MAX = 10_000;
const IDLE_MS = 120_000;
const LIMITS = { headBytesMax: 64 * 1024, fieldsMax: FIELDS_MAX };

/** All servers of the app API, and the connections that are open on them. */
export class AppHttp extends Http1Edge {
  readonly #deps: AppHttpDeps;

  constructor(deps: AppHttpDeps) {
    const { clock, log, statuses, countOffence } = deps;
    const offences = new SeldomLine(clock, (fields) => log.warn('what came was no HTTP/1.1', fields));
    super({
      ...{ clock, connectionsMax: CONNECTIONS_MAX, limits: LIMITS, idleMs: IDLE_MS },
      refusal: (failure) => httpRefusal(faultOfRequest(failure), statuses),
      offence({ reason }) {
        countOffence(reason);
        offences.say({ rule: reason });
      },
    });
    this.#deps = deps;
  }

  /** A bug that one request finds is that request's misfortune, and a line in the log; the sidecar serves on. */
  protected override serve(
    head: RequestHead,
    responder: Responder,
    connection: Http1ServerConnection,
  ): RequestReceiver {
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
    const said = saidToSidecar(head.fields);
    const unservable = checkAsked(head.method, said);
    if (unservable !== undefined) {
      connection.drain();
      reply.refuse(unservable);
      return NOBODY;
    }
    const route = findRoute(routes, head.method, head.target);
    const refused =
      guard(head.authority, said, rules) ??
      (route?.isOpenToAll === true ? undefined : checkToken(said, rules.apiToken));
    if (refused !== undefined) {
      reply.refuse(refused);
      return NOBODY;
    }
    return route === undefined ? serveCall(head, said, reply, this.#deps) : serveRoute(route, head, reply);
  }
}
