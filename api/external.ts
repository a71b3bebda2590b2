// Whom a call may be for: an app of the mesh, or something outside of it: an origin, written as a URL, or a named endpoint
// that stands for one.
//
// An app and an outside service are two types, so that no stage can take one for the other: an app is asked for its
// certificate, is told who calls and is handed tokens, and none of that may happen to a stranger's server.
import { ok, type Result } from '../kit/result.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import { type Namespace, parseTarget, type Target, targetName } from './ids.ts';
import { type Origin, originText, parseExternalOrigin } from './origin.ts';

export interface ExternalTarget {
  readonly origin: Origin;
  /** Which one stands for it; undefined where the caller wrote the URL. */
  readonly endpoint: HttpEndpoint | undefined;
}

/** Whomever a call is for. */
export type Callee = Target | ExternalTarget;

/** The named endpoints that this sidecar may use. */
export interface Endpoints {
  readonly size: number;
  get(name: string): HttpEndpoint | undefined;
  keys(): Iterable<string>;
}

export const NO_ENDPOINTS: Endpoints = new Map<string, HttpEndpoint>();

/** A dot would make it the name of an app in a namespace. */
export function isEndpointName(name: string): boolean {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
}

export function isExternal(callee: Callee): callee is ExternalTarget {
  return 'origin' in callee;
}

/**
 * Reads whom a call is for: the name of an endpoint, `app`, `app.namespace`, or `http(s)://host[:port]`. An endpoint wins over
 * an app of the same bare name; what has a namespace is an app.
 */
export function parseCallee(text: string, ownNamespace: Namespace, endpoints: Endpoints): Result<Callee> {
  if (endpoints.size > 0) {
    const endpoint = endpoints.get(text);
    if (endpoint !== undefined) return ok({ origin: endpoint.origin, endpoint });
  }
  // No app id holds a colon, and no URL is without one.
  if (!text.includes(':')) return parseTarget(text, ownNamespace);
  const origin = parseExternalOrigin(text);
  return origin.ok ? ok({ origin: origin.value, endpoint: undefined }) : origin;
}

/** For people, and for logs. Of a URL it holds what the caller wrote: no label of a metric may be made of it. */
export function calleeName(callee: Callee): string {
  if (!isExternal(callee)) return targetName(callee);
  return callee.endpoint?.name ?? originText(callee.origin);
}

/** For labels: there are as many as endpoints, and one for all URLs together. */
export function calleeLabel(callee: Callee): string {
  if (!isExternal(callee)) return targetName(callee);
  return callee.endpoint === undefined ? 'external' : `external/${callee.endpoint.name}`;
}
