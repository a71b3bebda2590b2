// The app API beside calls: what blocks register on it. A route has a small answer and at most a small body.
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerPairs } from '../../api/headers.ts';
import { type Page, pageHeaders } from '../../kit/pages.ts';
import type { Flow, RequestHead, RequestReceiver } from '../../wire/message.ts';
import type { HttpReply } from './http-reply.ts';
import { CALL_PREFIX, splitTarget } from './invocation.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';

export interface RouteRequest {
  /** What follows the route's path, without a slash in front; percent-encoded. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface Route {
  readonly method: string;
  /** The whole path, or with a trailing slash a prefix of it. None begins as calls do (`CALL_PREFIX`). */
  readonly path: string;
  /** Health is told to whoever asks; everything else wants the API token. */
  readonly isOpenToAll?: boolean;
  answer(request: RouteRequest): Page;
}

/** Bodies on routes are values of metadata keys and the like. */
export const ROUTE_BODY_BYTES_MAX = 64 * 1024;

export function findRoute(routes: readonly Route[], method: string, target: string): Route | undefined {
  // A call by URL asks for no route, whatever follows: nothing is to be made of its path for that.
  if (target.startsWith(CALL_PREFIX)) return undefined;
  const path = pathOf(target);
  return routes.find((route) => {
    if (route.method !== method) return false;
    return route.path.endsWith('/') ? path.startsWith(route.path) && path !== route.path : path === route.path;
  });
}

/** Reads the body, asks the route, writes its answer. */
export function serveRoute(route: Route, head: RequestHead, reply: HttpReply): RequestReceiver {
  const request = new RouteExchange(route, head, reply);
  if (head.expectsContinue) reply.askForBody();
  // As with a call: there is no tunnel, so nothing else would end it.
  if (head.upgrade !== undefined) request.end();
  return request;
}

class RouteExchange implements RequestReceiver {
  readonly #route: Route;
  readonly #head: RequestHead;
  readonly #reply: HttpReply;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(route: Route, head: RequestHead, reply: HttpReply) {
    this.#route = route;
    this.#head = head;
    this.#reply = reply;
  }

  data(chunk: Buffer): Flow {
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    if (this.#bytes > ROUTE_BODY_BYTES_MAX) {
      this.#chunks.length = 0;
      this.#reply.refuse(fault('body-too-large', `the value is larger than ${ROUTE_BODY_BYTES_MAX} bytes.`));
    }
    return 'ok';
  }

  end(): void {
    const { target, fields } = this.#head;
    try {
      const page = this.#route.answer({
        rest: pathOf(target).slice(this.#route.path.length),
        query: new URLSearchParams(splitTarget(target).query),
        headers: fields,
        body: Buffer.concat(this.#chunks),
      });
      this.#reply.whole(page.status, Object.entries(pageHeaders(page)).flat(), Buffer.from(page.body ?? ''));
    } catch (error) {
      const bug = 'this sidecar has a bug that this request found; its log says more.';
      this.#reply.refuse(fault('internal', bug, String(error)));
    }
  }

  // Whoever goes away was not answered; there is nothing to undo. An answer is one small piece, and is not held up.

  abort(): void {}

  cancel(): void {}

  resume(): void {}
}

/** A fault, under the errorCode that SDKs know for it on this route. */
export function refusalAnswer(refused: Fault, style: StatusStyle, errorCode: string): Page {
  const { head, body } = httpRefusal(refused, style, errorCode);
  return { status: head.status, headers: Object.fromEntries(headerPairs(head.fields)), body };
}

function pathOf(target: string): string {
  const { path } = splitTarget(target);
  const single = path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
  return single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single;
}
