// The app API on HTTP/1.1 and HTTP/2: who may speak (guard), what is asked (a block's route, or else a call), and what happens
// to a request that is none.
import { type Fault, fault } from '../../api/fault.ts';
import { HEAD_LIMITS, type Headers } from '../../api/headers.ts';
import type { Log } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import type { HttpServerConnection } from '../../wire/http-server.ts';
import { NOBODY, type RequestHead, type RequestReceiver, type Responder } from '../../wire/message.ts';
import { isPreflight, type PageResponder, pageResponder } from './cors.ts';
import { checkAsked, checkToken, type GuardRules, guard } from './guard.ts';
import { type HttpCallDeps, serveCall } from './http-call.ts';
import { HttpEdge } from './http-edge.ts';
import { HttpReply } from './http-reply.ts';
import { faultOfRequest } from './malformed.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';
import { findRoute, type Route, serveRoute } from './routes.ts';
import { saidToSidecar } from './said.ts';

export interface AppHttpDeps extends HttpCallDeps {
  readonly rules: GuardRules;
  readonly routes: readonly Route[];
  readonly statuses: StatusStyle;
  readonly log: Log;
  /** Counts what broke a rule of HTTP, or went past a limit, by the rule's name; there are only so many. */
  readonly countOffence: (rule: string) => void;
}

const CONNECTIONS_MAX = 10_000;
const IDLE_MS = 120_000;
/** Calls at once on a connection, as at the gRPC port. */
const STREAMS_MAX = 1024;
const HTTP2 = { streamsMax: STREAMS_MAX, headBytesMax: HEAD_LIMITS.headBytesMax, headFieldsMax: HEAD_LIMITS.fieldsMax };
/** What is wrong with frames is told in so many words that no counter can have one for each. */
const FRAMES = 'http2-frames';

/** All servers of the app API, and the connections that are open on them. */
export class AppHttp extends HttpEdge {
  readonly #deps: AppHttpDeps;

  constructor(deps: AppHttpDeps) {
    const { clock, log, statuses, countOffence } = deps;
    const offences = new SeldomLine(clock, (fields) => log.warn('what came was no HTTP', fields));
    super({
      ...{ clock, connectionsMax: CONNECTIONS_MAX, limits: HEAD_LIMITS, http2: HTTP2, idleMs: IDLE_MS },
      refusal: (failure) => httpRefusal(faultOfRequest(failure), statuses),
      offence({ kind, reason }, protocol) {
        const isOfFrames = protocol === 'http/2' && kind === 'malformed';
        countOffence(isOfFrames ? FRAMES : reason);
        offences.say(isOfFrames ? { rule: FRAMES, reason } : { rule: reason });
      },
    });
    this.#deps = deps;
  }

  /** A bug that one request finds is that request's misfortune, and a line in the log; the sidecar serves on. */
  protected override serve(head: RequestHead, responder: Responder, connection: HttpServerConnection): RequestReceiver {
    const said = saidToSidecar(head.fields);
    const page = pageResponder(responder, said, this.#deps.rules.allowedOrigins);
    const reply = new HttpReply(page ?? responder, this.#deps.statuses);
    try {
      return this.#serveRequest(head, said, reply, page, connection);
    } catch (error) {
      const stack = error instanceof Error ? error.stack : '';
      this.#deps.log.error('a bug in the app API', { reason: String(error), stack });
      reply.abort(fault('internal', 'this sidecar has a bug that this request found; its log says more.'));
      return NOBODY;
    }
  }

  #serveRequest(
    head: RequestHead,
    said: Headers,
    reply: HttpReply,
    page: PageResponder | undefined,
    connection: HttpServerConnection,
  ): RequestReceiver {
    const { rules, routes } = this.#deps;
    const refused = checkAsked(head.method, said);
    if (refused !== undefined) {
      // In HTTP/2 frames tell where the next request begins, whatever is in this one.
      if (connection.protocol === 'http/1.1') connection.drain();
      return refuse(reply, refused);
    }
    const stranger = guard(head.authority, said, rules);
    if (stranger !== undefined) return refuse(reply, stranger);
    // Before the token, which no browser adds to a preflight.
    if (page !== undefined && isPreflight(head)) {
      page.answerPreflight(head);
      return NOBODY;
    }
    const route = findRoute(routes, head.method, head.target);
    const withoutToken = route?.isOpenToAll === true ? undefined : checkToken(said, rules.apiToken);
    if (withoutToken !== undefined) return refuse(reply, withoutToken);
    return route === undefined ? serveCall(head, said, reply, this.#deps) : serveRoute(route, head, reply);
  }
}

function refuse(reply: HttpReply, reason: Fault): RequestReceiver {
  reply.refuse(reason);
  return NOBODY;
}
