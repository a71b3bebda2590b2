// Which requests on the app API are calls, and of whom. Three forms, tried in this order (Dapr's contract):
//
//   1. a header `dapr-app-id` or `invoke-app-id` on any path: the whole path is the method;
//   2. `Authorization: Basic base64("dapr-app-id:<target>")`, likewise;
//   3. `/v1.0/invoke/<target>/method/<path>`.
//
// A target is an app, a named endpoint, or the URL of a service that has no sidecar (api/external.ts).

import { type Callee, type Endpoints, NO_ENDPOINTS, parseCallee } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerValue, headerValues } from '../../api/headers.ts';
import type { Namespace } from '../../api/ids.ts';
import { type CanonicalPath, canonicalPath } from '../../api/path.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface Invocation {
  readonly target: Callee;
  readonly path: CanonicalPath;
  /** Byte for byte, without the question mark. */
  readonly query: string;
}

/** How a call by URL begins. No route of the sidecar's own does. */
export const CALL_PREFIX = '/v1.0/invoke/';
const METHOD = '/method';
const SLASH = 0x2f;
/** The same with as many slashes as anybody likes. */
const URL_FORM = /^\/+v1\.0\/+invoke\/+([^/]+)\/+method(\/.*)?$/s;
/** Of a service outside of the mesh, whose URL stands there as it is: `https://host:port`. */
const URL_OF_A_URL = /^\/+v1\.0\/+invoke\/+(https?:)\/+([^/]+)\/+method(\/.*)?$/is;

const TWO_IDS = fault('bad-request', 'the headers name more than one app id; send one.');
const NO_TARGET = fault(
  'no-target',
  'the request names no app: use /v1.0/invoke/<app>[.<namespace>]/method/<path>, or send any path with the header dapr-app-id.',
);
/** Of Dapr's API there is more than we serve, and whoever misses a part of it looks for a wrong path first. */
const NO_SUCH_PART = fault(
  'no-target',
  'this path is not in the API of this sidecar, which has metadata, healthz and shutdown of that of Dapr, and calls: /v1.0/invoke/<app>[.<namespace>]/method/<path>, or any path with the header dapr-app-id.',
);
const API_PREFIX = /^\/+v1\.0(-[a-z0-9]+)?\/+(?!invoke(\/|$))[a-z]/;

/** `requestTarget` and header values are byte strings, one character per byte. A fragment is no part of a target. */
export function readInvocation(
  requestTarget: string,
  headers: Headers,
  ownNamespace: Namespace,
  endpoints: Endpoints = NO_ENDPOINTS,
): Result<Invocation, Fault> {
  const { path, query } = splitTarget(requestTarget);
  const id = headerValue(headers, 'dapr-app-id') ?? headerValue(headers, 'invoke-app-id');
  if (id !== undefined && namesAnother(headers, id)) return err(TWO_IDS);
  const target = id ?? basicAuthTarget(headers);
  if (target !== undefined) return invocation(target.trim(), path, query, ownNamespace, endpoints);
  return readUrl(path, query, ownNamespace, endpoints);
}

function namesAnother(headers: Headers, id: string): boolean {
  const ids = [...headerValues(headers, 'dapr-app-id'), ...headerValues(headers, 'invoke-app-id')];
  return ids.some((other) => other !== id);
}

function readUrl(
  path: string,
  query: string,
  ownNamespace: Namespace,
  endpoints: Endpoints,
): Result<Invocation, Fault> {
  // Nearly every call by URL is written with single slashes, and then two looks for one tell its parts.
  const nameEnd = path.startsWith(CALL_PREFIX) ? path.indexOf('/', CALL_PREFIX.length) : -1;
  if (nameEnd > CALL_PREFIX.length && path.startsWith(METHOD, nameEnd)) {
    const methodAt = nameEnd + METHOD.length;
    const isWhole = methodAt === path.length;
    if (isWhole || path.charCodeAt(methodAt) === SLASH) {
      const name = decodeTarget(path.slice(CALL_PREFIX.length, nameEnd));
      return invocation(name, isWhole ? '/' : path.slice(methodAt), query, ownNamespace, endpoints);
    }
  }
  // Clients and proxies fold two slashes into one.
  const external = URL_OF_A_URL.exec(path);
  if (external !== null) {
    const url = `${external[1]}//${decodeTarget(external[2] ?? '')}`;
    return invocation(url, external[3] ?? '/', query, ownNamespace, endpoints);
  }
  const match = URL_FORM.exec(path);
  if (match === null) return err(API_PREFIX.test(path) ? NO_SUCH_PART : NO_TARGET);
  return invocation(decodeTarget(match[1] ?? ''), match[2] ?? '/', query, ownNamespace, endpoints);
}

function invocation(
  name: string,
  path: string,
  query: string,
  ownNamespace: Namespace,
  endpoints: Endpoints,
): Result<Invocation, Fault> {
  const target = parseCallee(name, ownNamespace, endpoints);
  if (!target.ok) return err(fault('bad-request', `${target.error}.`));
  const canonical = canonicalPath(path);
  if (!canonical.ok) return err(fault('bad-request', `${canonical.error}; nothing was called.`));
  return ok({ target: target.value, path: canonical.value, query });
}

/** Whether the credentials of the request are none, but a target that is written where they stand. */
export function isTargetInAuthorization(headers: Headers): boolean {
  return basicAuthTarget(headers) !== undefined;
}

/** The user name is fixed, in any letter case; exactly one colon, so the password is the target. */
function basicAuthTarget(headers: Headers): string | undefined {
  const authorization = headerValue(headers, 'authorization');
  if (authorization === undefined) return undefined;
  const credentials = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization)?.[1];
  if (credentials === undefined) return undefined;
  const [user, target, ...rest] = Buffer.from(credentials, 'base64').toString('latin1').split(':');
  const isOurs = rest.length === 0 && /^(dapr|invoke)-app-id$/i.test(user ?? '');
  return isOurs ? target : undefined;
}

function decodeTarget(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Of a request target in origin-form, or in the absolute form of a program that takes the sidecar for a proxy. */
export function splitTarget(requestTarget: string): { path: string; query: string } {
  const origin = requestTarget.startsWith('/') ? requestTarget : requestTarget.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  const mark = origin.indexOf('?');
  return mark < 0 ? { path: origin, query: '' } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}
