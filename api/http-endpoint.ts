// A named endpoint (the resource HTTPEndpoint) as a sidecar uses it: where it is, what is sent along, by what it is trusted.
//
// In a cluster the spec comes over the feed, as it is stored. The library of schemas that describes the resource
// (api/resources/http-endpoint.ts) is not in the sidecar's image, so it is read here once more, and more strictly.
import { list, optional, type Reader, type Readers, readRecord, text } from '../kit/record.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { type Origin, originOf, parsePlace } from './origin.ts';
import { canonicalPath } from './path.ts';

export interface HttpEndpoint {
  readonly name: string;
  readonly origin: Origin;
  /** What stands before each path: empty, or such as `/v3`. */
  readonly basePath: string;
  /** In place of what the caller says under these names. */
  readonly headers: readonly EndpointHeader[];
  readonly tls: EndpointTls;
}

export interface EndpointHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: EndpointValue;
}

export interface EndpointTls {
  /** PEM: the server is proven by these and by no others. Undefined: by the platform's. */
  readonly rootCA: EndpointValue | undefined;
  /** PEM, both or neither: what this client proves itself by. */
  readonly certificate: EndpointValue | undefined;
  readonly privateKey: EndpointValue | undefined;
}

/** A value, or where it is found at each use. */
export type EndpointValue =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'secret'; readonly name: string; readonly key: string }
  | { readonly kind: 'env'; readonly variable: string };

/** A key of a Secret of the endpoint's namespace. */
export type SecretKey = Pick<Extract<EndpointValue, { readonly kind: 'secret' }>, 'name' | 'key'>;

/** All that the endpoint refers to. */
export function secretsOf({ headers, tls }: HttpEndpoint): readonly SecretKey[] {
  const values = [...headers.map(({ value }) => value), tls.rootCA, tls.certificate, tls.privateKey];
  return values.flatMap((value) => (value?.kind === 'secret' ? [{ name: value.name, key: value.key }] : []));
}

/** What the sidecar says itself in each request, and what would make it speak for somebody else. */
const NO_ENDPOINT_HEADER =
  /^(host|content-length|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|http2-settings)$/;
const HEADER_NAME = /^[A-Za-z0-9][-A-Za-z0-9_]{0,127}$/;

export function isEndpointHeader(name: string): boolean {
  return HEADER_NAME.test(name) && !NO_ENDPOINT_HEADER.test(name.toLowerCase());
}

/** As Dapr has it, and ours beside it: what steers sidecars and proves them is nobody's header. */
export function isEndpointVariable(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !/^(APP_API_TOKEN$|DAPR_|INVOKE_)/i.test(name);
}

/** Names of Secrets and their keys become parts of a path. */
export function isSecretKey(text: string): boolean {
  return /^[-._a-zA-Z0-9]{1,253}$/.test(text) && !/^\.\.?/.test(text);
}

/** `origin` and the path that stands before all others, out of a base URL. */
export function parseBaseUrl(url: string): Result<Pick<HttpEndpoint, 'origin' | 'basePath'>> {
  const match = /^(https?):\/\/([^/?#]*)(\/[^?#]*)?$/i.exec(url);
  if (match === null) return err('write http:// or https://, a host, and a path if there is one; no query');
  const place = parsePlace(match[2] ?? '');
  if (!place.ok) return place;
  const path = canonicalPath(match[3] ?? '/');
  if (!path.ok) return path;
  const scheme = match[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  return ok({ origin: originOf(scheme, place.value.host, place.value.port), basePath: path.value.replace(/\/$/, '') });
}

/** The apps of its namespace that may use it; undefined: all. */
export function endpointScopes(spec: unknown): readonly string[] | undefined {
  const scopes = typeof spec === 'object' && spec !== null && 'scopes' in spec ? spec.scopes : undefined;
  return Array.isArray(scopes) ? scopes.map(String) : undefined;
}

/** Or everything that is wrong with it. */
export function readHttpEndpoint(name: string, spec: unknown): Result<HttpEndpoint, readonly string[]> {
  const read = readRecord(SPEC, spec);
  if (!read.ok) return read;
  const { baseUrl, headers = [], clientTLS } = read.value;
  const tls = { rootCA: clientTLS?.rootCA, certificate: clientTLS?.certificate, privateKey: clientTLS?.privateKey };
  if ((tls.certificate === undefined) !== (tls.privateKey === undefined)) {
    return err(['clientTLS: certificate and privateKey go together; write both or neither']);
  }
  return ok({ name, ...baseUrl, headers, tls });
}

interface WrittenTls {
  readonly rootCA?: EndpointValue | undefined;
  readonly certificate?: EndpointValue | undefined;
  readonly privateKey?: EndpointValue | undefined;
}

interface WrittenSpec {
  readonly baseUrl: Pick<HttpEndpoint, 'origin' | 'basePath'>;
  readonly headers?: readonly EndpointHeader[] | undefined;
  readonly clientTLS?: WrittenTls | undefined;
}

/** The three ways to give a value, of which exactly one is used. */
const value: Reader<EndpointValue> = (written) => {
  const { value, secretKeyRef, envRef } = fieldsOf(written);
  const given = [value, secretKeyRef, envRef].filter((way) => way !== undefined);
  if (given.length !== 1) return err('write one of value, secretKeyRef and envRef');
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return ok({ kind: 'literal', value: String(value) });
  }
  if (typeof envRef === 'string') {
    return isEndpointVariable(envRef)
      ? ok({ kind: 'env', variable: envRef })
      : err(`envRef: "${envRef}" may not be read`);
  }
  const { name, key } = fieldsOf(secretKeyRef);
  const isNamed = typeof name === 'string' && typeof key === 'string' && isSecretKey(name) && isSecretKey(key);
  return isNamed ? ok({ kind: 'secret', name, key }) : err('secretKeyRef needs the name of a Secret and a key in it');
};

const header: Reader<EndpointHeader> = (written) => {
  const { name } = fieldsOf(written);
  if (typeof name !== 'string' || !isEndpointHeader(name)) return err(`${JSON.stringify(name)} cannot be sent along`);
  const read = value(written);
  return read.ok ? ok({ name: name.toLowerCase(), value: read.value }) : err(`${name}: ${read.error}`);
};

const TLS: Readers<WrittenTls> = {
  rootCA: optional(value),
  certificate: optional(value),
  privateKey: optional(value),
};

const SPEC: Readers<WrittenSpec> = {
  baseUrl: (written) => {
    const read = text(written);
    return read.ok ? parseBaseUrl(read.value) : read;
  },
  headers: optional(list(header)),
  clientTLS: optional((written) => {
    const read = readRecord(TLS, written);
    return read.ok ? read : err(read.error.join('; '));
  }),
};

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
