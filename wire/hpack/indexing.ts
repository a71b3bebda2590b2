// Which fields may enter the encoder's table, and which must not.
//
// A value that is different in every call would push out what repeats, and move every index that a cached block stands on.
// A secret in the table could be guessed at through the sizes of blocks by whoever can send fields on the same connection
// (RFC 7541, 7.1).
import { STATIC_NAMES, type StaticName } from './static-table.ts';

/** `table`: when it is met again. `volatile`: never kept. `never`: neither kept here nor by anybody further on. */
export type Indexing = 'table' | 'volatile' | 'never';

/** What the encoder knows of a name before it has sent any field of that name. */
export interface KnownName {
  readonly indexing: Indexing;
  readonly inStatic: StaticName | undefined;
}

export type KnownNames = ReadonlyMap<string, KnownName>;

/** Made for one message: length and time, validators of one resource, trace and request ids, deadlines. */
export const VOLATILE_NAMES: readonly string[] = [
  ...['content-length', 'content-range', 'range', 'date', 'age', 'expires', 'last-modified', 'location'],
  ...['etag', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
  ...['traceparent', 'tracestate', 'grpc-trace-bin', 'baggage', 'b3', 'uber-trace-id', 'x-cloud-trace-context'],
  ...[
    'x-b3-traceid',
    'x-b3-spanid',
    'x-b3-parentspanid',
    'x-amzn-trace-id',
    'x-datadog-trace-id',
    'x-datadog-parent-id',
  ],
  ...['x-request-id', 'x-correlation-id', 'request-id', 'correlation-id', 'x-request-start', 'idempotency-key'],
  ...['grpc-timeout', 'grpc-message', 'grpc-status-details-bin'],
];

/** Secrets: credentials, sessions, tokens. */
export const SECRET_NAMES: readonly string[] = [
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'authentication-info'],
  ...['dapr-api-token', 'x-api-key', 'api-key', 'x-auth-token', 'x-access-token', 'x-amz-security-token'],
  ...['x-csrf-token', 'x-xsrf-token', 'x-goog-iap-jwt-assertion', 'x-forwarded-access-token', 'x-vault-token'],
];

export const NEW_NAME: KnownName = { indexing: 'table', inStatic: undefined };

export function knownNames(volatile: readonly string[], secret: readonly string[]): KnownNames {
  const names = new Map<string, KnownName>();
  const know = (name: string, indexing: Indexing) => names.set(name, { indexing, inStatic: STATIC_NAMES.get(name) });
  for (const name of STATIC_NAMES.keys()) know(name, 'table');
  for (const name of volatile) know(name, 'volatile');
  for (const name of secret) know(name, 'never');
  return names;
}

/** Made once, for every connection that is content with it. */
export const DEFAULT_NAMES: KnownNames = knownNames(VOLATILE_NAMES, SECRET_NAMES);
