// For tests: what a request to an API server asks for, and what can be told to go wrong with it.
import type { IncomingMessage } from 'node:http';

export interface ApiServerRequest {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'replace' | 'patch' | 'apply' | 'delete';
  /** `apps`; empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** Below the subresource, for a proxy. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Parsed; undefined where there is none. */
  readonly body: unknown;
}

/** Which requests are meant; what is left out matches any. */
export type RequestFilter = Partial<Pick<ApiServerRequest, 'verb' | 'plural' | 'namespace' | 'name' | 'subresource'>>;

export type ApiFault =
  | { readonly status: number; readonly message?: string; readonly reason?: string; readonly retryAfterSec?: number }
  /** The connection breaks before an answer. */
  | 'reset'
  /** No answer, ever. */
  | 'hang';

export function readRequest({ method = '', url = '', headers }: IncomingMessage, body: string): ApiServerRequest {
  const { pathname, searchParams: query } = new URL(url, 'http://api');
  const [root, ...segments] = pathname.slice(1).split('/').map(decodeURIComponent);
  const group = root === 'api' ? '' : (segments.shift() ?? '');
  const [version = '', ...rest] = segments;
  const isInNamespace = rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '');
  const namespace = isInNamespace ? rest[1] : undefined;
  const [plural = '', name, subresource, ...below] = isInNamespace ? rest.slice(2) : rest;
  const verb = verbOf(method, name, query, headers['content-type']);
  const parsed: unknown = body === '' ? undefined : JSON.parse(body);
  const named = { group, version, plural, namespace, name, subresource, rest: below.join('/') };
  return { verb, ...named, query, headers, body: parsed };
}

export function isMeant(filter: RequestFilter, request: ApiServerRequest): boolean {
  const wanted: ReadonlyMap<string, unknown> = new Map(Object.entries(filter));
  return Object.entries(request).every(([field, value]) => !wanted.has(field) || wanted.get(field) === value);
}

function verbOf(
  method: string,
  name: string | undefined,
  query: URLSearchParams,
  type: string | undefined,
): ApiServerRequest['verb'] {
  if (method === 'GET' && name !== undefined) return 'get';
  if (method === 'GET') return ['true', '1'].includes(query.get('watch') ?? '') ? 'watch' : 'list';
  if (method === 'PATCH') return type === 'application/apply-patch+yaml' ? 'apply' : 'patch';
  if (method === 'PUT') return 'replace';
  return method === 'POST' ? 'create' : 'delete';
}
