// Header fields as a flat list, and the rules about which of them travel.
//
// A list and not an object: order and repetition survive, and a field named `__proto__` is data like any other. Names
// are lower-case. Values are byte strings (one character per byte, as HTTP/1.1 hands them out), so what an app sent
// arrives as the same bytes, whatever their encoding.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

/** [name, value, name, value, …], names in lower case. */
export type Headers = readonly string[];

/** Of a head or of trailers: none. One list for all, and nobody has to make another. */
export const NO_HEADERS: Headers = [];

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
  'invoke-hops',
  'invoke-fault',
];

const STAYS_HERE = new Set([...HOP_BY_HOP, ...NOT_FORWARDED]);

/** Who called whom. Only the receiving sidecar says so, from the certificate. */
const IDENTITY = /^(dapr|invoke)-(caller|callee)-/;

/** Nearly every name: nothing in it that could be taken for a dash. */
const PLAIN_NAME = /^[a-z0-9-]+$/;

/** RFC 9110, 5.6.2: what a field name is made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NEVER_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const DIGITS = /^\d{1,15}$/;

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
    const { text, verdict } = knownName(raw[i] ?? '');
    if (verdict === 'travels' && named?.has(text) !== true) kept.push(text, raw[i + 1] ?? '');
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
    const verdict = verdictOn(name);
    if (name === 'grpc-timeout' || verdict === 'stays' || verdict === 'no-name') continue;
    kept.push(name, fields[i + 1] ?? '');
  }
  return kept;
}

/** gRPC over HTTP/2, "Header-Name". HTTP has more names; libraries of gRPC may fail a call that comes with one of those. */
const METADATA_NAME = /^[0-9a-z_.-]+$/;

/** Whether a field of HTTP can be said as metadata of gRPC, and means nothing to gRPC itself. */
export function isMetadataName(name: string): boolean {
  return METADATA_NAME.test(name) && !name.startsWith('grpc-');
}

type Verdict = 'travels' | 'stays' | 'travels-in-grpc' | 'no-name';

interface KnownName {
  /** The one copy of it: what is looked up again later is found without being compared letter by letter. */
  readonly text: string;
  readonly verdict: Verdict;
}

/** The same few names come with every message, so a field costs one lookup. Bounded, for strangers make up names. */
const knownNames = new Map<string, KnownName>();
const KNOWN_NAMES_MAX = 1000;
const KNOWN_NAME_LENGTH_MAX = 64;

/** Of a name in whatever letter case. */
function knownName(name: string): KnownName {
  return knownNames.get(name) ?? noteName(name.toLowerCase());
}

function noteName(name: string): KnownName {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  // A copy: a piece cut out of a head would keep the whole of that head in memory.
  const fresh = { text: Buffer.from(name, 'latin1').toString('latin1'), verdict: judge(name) };
  if (knownNames.size < KNOWN_NAMES_MAX && name.length <= KNOWN_NAME_LENGTH_MAX) knownNames.set(fresh.text, fresh);
  return fresh;
}

/** A field name in lower case, as the one copy of it that there is. */
export function fieldName(name: string): string {
  return knownName(name).text;
}

function verdictOn(name: string): Verdict {
  return knownName(name).verdict;
}

function judge(name: string): Verdict {
  if (!TOKEN.test(name)) return 'no-name';
  const dashed = PLAIN_NAME.test(name) ? name : name.replace(/[^a-z0-9]/g, '-');
  if (STAYS_HERE.has(dashed) || IDENTITY.test(dashed)) return 'stays';
  return dashed.endsWith('-bin') ? 'travels-in-grpc' : 'travels';
}

function connectionTokens(raw: readonly string[]): Set<string> | undefined {
  if (headerValue(raw, 'connection') === undefined) return undefined;
  const values = headerValues(raw, 'connection');
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

/** What a message may carry that an app or a caller wrote. */
const FIELDS_MAX = 128;
/** Of its head alone. */
export const HEAD_LIMITS = { headBytesMax: 64 * 1024, fieldsMax: FIELDS_MAX } as const;
/** What sidecars add to those on the way. */
const ADDED_FIELDS_MAX = 16;
/** What a peer's message may carry. */
export const PEER_FIELDS_MAX = FIELDS_MAX + ADDED_FIELDS_MAX;
/** The 64 KiB that a head may have, and room for what sidecars add. */
export const PEER_BYTES_MAX = 80 * 1024;

/** The fields, of a head or of trailers, that travel on from a peer's message: no more than an honest peer lets through. */
export function headersFromPeer(headers: Headers): Result<Headers> {
  if (headers.length / 2 > PEER_FIELDS_MAX) return err(`there are more than ${FIELDS_MAX} header fields`);
  // One look at all of them together, and not one at each: names hold nothing that a value may not.
  const all = headers.join(' ');
  if (all.length - headers.length > PEER_BYTES_MAX) return err('the header fields are larger than 64 KiB');
  if (NEVER_IN_VALUE.test(all)) return checkedHeaders(headers);
  const named = connectionTokens(headers);
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const { text, verdict } = knownName(headers[i] ?? '');
    if (verdict === 'no-name') return noName(text);
    if (verdict === 'travels' && named?.has(text) !== true) kept.push(text, withoutBlanksAround(headers[i + 1] ?? ''));
  }
  return ok(kept);
}

/**
 * No value has blanks around it on any wire, and none is written with them; a peer's message is no wire. Not `trim`, to
 * which the byte A0 is a blank too.
 */
function withoutBlanksAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return end - start === text.length ? text : text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Fields that nobody has parsed yet must be such that no HTTP/1.1 reader sees another line in them. */
export function checkedHeaders(headers: Headers): Result<Headers> {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!TOKEN.test(name)) return noName(name);
    if (NEVER_IN_VALUE.test(headers[i + 1] ?? ''))
      return err(`the header ${name} holds a byte that no header value may hold`);
  }
  return ok(headers);
}

function noName(name: string): Result<never> {
  return err(`"${excerpt(name)}" is not a header name`);
}

/** RFC 9110, 8.6: one decimal number. Undefined for anything else, a list of unequal numbers included. */
export function contentLength(headers: readonly string[]): number | undefined {
  let only: string | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!isNamed(headers[i] ?? '', 'content-length')) continue;
    const value = soleOf(headers[i + 1] ?? '');
    if (value === undefined || (only !== undefined && only !== value)) return undefined;
    only = value;
  }
  return only !== undefined && DIGITS.test(only) ? Number(only) : undefined;
}

/** What a list says, if it says one thing over and over. */
function soleOf(list: string): string | undefined {
  if (!list.includes(',')) return list.trim();
  const values = new Set(list.split(',').map((value) => value.trim()));
  return values.size === 1 ? [...values][0] : undefined;
}
