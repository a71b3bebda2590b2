// The app API beside calls: what blocks register on it. A route has a small answer and at most a small body.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Fault, fault } from '../../api/fault.ts';
import { headerPairs } from '../../api/headers.ts';
import { type Page, writePage } from '../../kit/pages.ts';
import { splitTarget } from './invocation.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';

export interface RouteRequest {
  /** What follows the route's path, without a slash in front; percent-encoded. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface Route {
  readonly method: string;
  /** The whole path, or with a trailing slash a prefix of it. */
  readonly path: string;
  /** Health is told to whoever asks; everything else wants the API token. */
  readonly isOpenToAll?: boolean;
  answer(request: RouteRequest): Page;
}

/** Bodies on routes are values of metadata keys and the like. */
const ROUTE_BODY_BYTES_MAX = 64 * 1024;

export function findRoute(routes: readonly Route[], method: string, url: string): Route | undefined {
  const path = pathOf(url);
  return routes.find((route) => {
    if (route.method !== method) return false;
    return route.path.endsWith('/') ? path.startsWith(route.path) && path !== route.path : path === route.path;
  });
}

/** Reads the body, asks the route, writes its answer. */
export function serveRoute(
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
  refuse: (reason: Fault) => void,
): void {
  const url = request.url ?? '/';
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isRefused = false;
  request.on('data', (chunk: Buffer) => {
    if (isRefused) return;
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= ROUTE_BODY_BYTES_MAX) return;
    isRefused = true;
    refuse(fault('body-too-large', `the value is larger than ${ROUTE_BODY_BYTES_MAX} bytes.`));
  });
  request.on('end', () => {
    if (isRefused) return;
    try {
      const answer = route.answer({
        rest: pathOf(url).slice(route.path.length),
        query: new URLSearchParams(splitTarget(url).query),
        rawHeaders: request.rawHeaders,
        body: Buffer.concat(chunks),
      });
      writePage(response, answer);
    } catch (error) {
      refuse(fault('internal', 'this sidecar has a bug that this request found; its log says more.', String(error)));
    }
  });
}

/** A fault, under the errorCode that SDKs know for it on this route. */
export function refusalAnswer(refused: Fault, style: StatusStyle, errorCode: string): Page {
  const { status, headers, body } = httpRefusal(refused, style, errorCode);
  return { status, headers: Object.fromEntries(headerPairs(headers)), body };
}

function pathOf(url: string): string {
  return splitTarget(url)
    .path.replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1');
}
