// Header fields as a flat list, and the rules about which of them travel.
//
// A list and not an object: order and repetition survive, and a field named `__proto__` is data like any other. Names
// are lower-case. Values are byte strings (one character per byte, as HTTP/1.1 hands them out), so what an app sent
// arrives as the same bytes, whatever their encoding.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import type { Identity, Target } from './ids.ts';
import { spiffeId } from './ids.ts';

/** [name, value, name, value, …], names in lower case. */
export type Headers = readonly string[];

/** RFC 9110, 7.6.1, and the older ones that Dapr drops too. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

/** Said anew by whoever writes the next message: framing, and what steered this sidecar alone. */
const NOT_FORWARDED = [
  'host',
  'content-length',
  'expect',
  'dapr-app-id',
  'invoke-app-id',
  'destination-app-id',
  'dapr-api-token',
  'invoke-timeout',
  'invoke-fault',
];

const STAYS_HERE = new Set([...HOP_BY_HOP, ...NOT_FORWARDED]);

/** Who called whom. Only the receiving sidecar says so, from the certificate. */
const IDENTITY = /^(dapr|invoke)-(caller|callee)-/;

/** Nearly every name: nothing in it that could be taken for a dash. */
const PLAIN_NAME = /^[a-z0-9-]+$/;

/** RFC 9110, 5.6.2: what a field name is made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const BLANK_ENDS = /^[ \t]|[ \t]$/;

/**
 * The fields that travel on from a message, out of its raw fields in whatever letter case.
 *
 * Hop-by-hop fields stay, those named by Connection too, as do `*-bin` (gRPC's own), the sidecar's own switches and
 * whatever claims an identity. Any sign counts as a dash there: WSGI, CGI and PHP cannot tell `dapr_caller_app_id` or
 * `dapr.caller.app.id` from `dapr-caller-app-id`.
 */
export function endToEnd(raw: readonly string[]): Headers {
  const named = connectionTokens(raw);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    if (named?.has(name) || verdictOn(name) !== 'travels') continue;
    kept.push(name, raw[i + 1] ?? '');
  }
  return kept;
}

/**
 * The same of a native gRPC message, of its metadata or its trailers: there `*-bin` is the app's own, and travels. What is left
 * of the time does not: each hop says it anew.
 */
export function grpcEndToEnd(fields: Headers): Headers {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name === 'grpc-timeout' || verdictOn(name) === 'stays') continue;
    kept.push(name, fields[i + 1] ?? '');
  }
  return kept;
}

type Verdict = 'travels' | 'stays' | 'travels-in-grpc';

/** The same few names come with every message, so a field costs one lookup. Bounded, for strangers make up names. */
const verdicts = new Map<string, Verdict>();
const VERDICTS_MAX = 1000;
const VERDICT_NAME_MAX = 64;

function verdictOn(name: string): Verdict {
  const known = verdicts.get(name);
  if (known !== undefined) return known;
  const verdict = judge(name);
  // A copy: a piece cut out of a head would keep the whole of that head in memory.
  if (verdicts.size < VERDICTS_MAX && name.length <= VERDICT_NAME_MAX)
    verdicts.set(Buffer.from(name).toString(), verdict);
  return verdict;
}

function judge(name: string): Verdict {
  const dashed = PLAIN_NAME.test(name) ? name : name.replace(/[^a-z0-9]/g, '-');
  if (STAYS_HERE.has(dashed) || IDENTITY.test(dashed)) return 'stays';
  return dashed.endsWith('-bin') ? 'travels-in-grpc' : 'travels';
}

function connectionTokens(raw: readonly string[]): Set<string> | undefined {
  const values = headerValues(raw, 'connection');
  if (values.length === 0) return undefined;
  return new Set(values.flatMap((value) => value.split(',')).map((token) => token.trim().toLowerCase()));
}

/** The first value of a field, or undefined. `name` is lower-case; the list may be raw. */
export function headerValue(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (isNamed(headers[i] ?? '', name)) return headers[i + 1];
  }
  return undefined;
}

export function headerValues(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (isNamed(headers[i] ?? '', name)) values.push(headers[i + 1] ?? '');
  }
  return values;
}

function isNamed(field: string, name: string): boolean {
  return field.length === name.length && (field === name || field.toLowerCase() === name);
}

/** [[name, value], …] */
export function headerPairs(headers: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i] ?? '', headers[i + 1] ?? '']);
  return pairs;
}

/** The headers without a field. */
export function without(headers: Headers, name: string): Headers {
  if (headerValue(headers, name) === undefined) return headers;
  return headers.filter((_, i) => headers[i - (i % 2)] !== name);
}

/** Says to the app who calls: `dapr-caller-*`, `dapr-callee-*`, and the caller's whole SPIFFE ID. */
export function identityHeaders(caller: Identity, callee: Target): Headers {
  return [
    'dapr-caller-app-id',
    caller.app,
    'dapr-caller-namespace',
    caller.namespace,
    'dapr-callee-app-id',
    callee.app,
    'invoke-caller-id',
    spiffeId(caller),
  ];
}

/** What a message may carry that an app or a caller wrote. */
export const FIELDS_MAX = 128;
/** What sidecars add to those on the way. */
const ADDED_FIELDS_MAX = 16;
/** What a peer's message may carry. */
export const PEER_FIELDS_MAX = FIELDS_MAX + ADDED_FIELDS_MAX;
/** The 64 KiB that a head may have, and room for what sidecars add. */
export const PEER_BYTES_MAX = 80 * 1024;

/** The fields, of a head or of trailers, that travel on from a peer's message: no more than an honest peer lets through. */
export function headersFromPeer(headers: Headers): Result<Headers> {
  if (headers.length / 2 > PEER_FIELDS_MAX) return err(`there are more than ${FIELDS_MAX} header fields`);
  const bytes = headers.reduce((sum, text) => sum + text.length, 0);
  if (bytes > PEER_BYTES_MAX) return err('the header fields are larger than 64 KiB');
  const checked = checkedHeaders(headers);
  return checked.ok ? ok(trimmed(endToEnd(checked.value))) : checked;
}

/** No value has blanks around it on any wire, and none is written with them; a peer's message is no wire. */
function trimmed(headers: Headers): Headers {
  return headers.some((text) => BLANK_ENDS.test(text)) ? headers.map(withoutBlanksAround) : headers;
}

/** Not `trim`, to which the byte A0 is a blank too. */
function withoutBlanksAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** Fields that nobody has parsed yet must be such that no HTTP/1.1 reader sees another line in them. */
export function checkedHeaders(headers: Headers): Result<Headers> {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!TOKEN.test(name)) return err(`"${excerpt(name)}" is not a header name`);
    if (!VALUE.test(headers[i + 1] ?? '')) return err(`the header ${name} holds a byte that no header value may hold`);
  }
  return ok(headers);
}

/** RFC 9110, 8.6: one decimal number. Undefined for anything else, a list of unequal numbers included. */
export function contentLength(headers: readonly string[]): number | undefined {
  const values = new Set(
    headerValues(headers, 'content-length')
      .flatMap((value) => value.split(','))
      .map((v) => v.trim()),
  );
  const [only] = values;
  return values.size === 1 && only !== undefined && /^\d{1,15}$/.test(only) ? Number(only) : undefined;
}
