// Header blocks to heads, and back (RFC 9113, section 8). HPACK has judged the bytes of names and values; what is left is
// which fields may come together, and what they say of the body.
import { err, ok, type Result } from '../../kit/result.ts';
import { type DecodedBlock, NO_PSEUDO, type PseudoFields } from '../hpack/block.ts';
import type { Fields, RequestHead, ResponseHead } from '../message.ts';

/** The rule that was broken, as a label. */
export type HeadFlaw =
  | 'pseudo-field-missing'
  | 'pseudo-field-misplaced'
  | 'method'
  | 'scheme'
  | 'authority'
  | 'path'
  | 'status'
  | 'connection-field'
  | 'te'
  | 'host'
  | 'content-length';

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^[A-Za-z][-+.A-Za-z0-9]*$/;
const AUTHORITY = /^[-A-Za-z0-9._~!$&'()*+,;=:%[\]]+$/;
/** No blank, no control byte, no fragment. */
const PATH = /^\/[^\x00-\x20\x7f#]*$/;
const STATUS = /^[1-9][0-9][0-9]$/;
const DIGITS = /^[0-9]{1,15}$/;
/** What a field counts for beside its name and value. */
const FIELD_BYTES = 32;

/** What the fields say that the codec has to act on. */
interface Told {
  contentLength: number | undefined;
  host: string | undefined;
  expectsContinue: boolean;
  cookies: number;
}

export function readRequest(block: DecodedBlock, isEnded: boolean): Result<RequestHead, HeadFlaw> {
  const { reading } = block;
  if (reading?.kind === 'request' && reading.isEnded === isEnded) return reading.result;
  const { pseudo, neverIndexed } = block;
  const told = readFields(block.fields);
  if (typeof told === 'string') return err(told);
  const flaw = flawInRequest(pseudo, told) ?? flawInLength(told, isEnded);
  if (flaw !== undefined) return err(flaw);
  const { method = '', scheme, authority, path, protocol } = pseudo;
  const result = ok({
    method,
    target: path ?? authority ?? '',
    authority: authority ?? told.host,
    scheme,
    fields: tidyFields(block.fields, told),
    bodyBytes: isEnded ? 0 : told.contentLength,
    upgrade: protocol,
    expectsContinue: told.expectsContinue && !isEnded,
    neverIndexed,
  });
  block.reading = { kind: 'request', isEnded, result };
  return result;
}

/** `status` below 200: the head of an informational response. */
export function readResponse(block: DecodedBlock, isEnded: boolean): Result<ResponseHead, HeadFlaw> {
  const { reading } = block;
  if (reading?.kind === 'response' && reading.isEnded === isEnded) return reading.result;
  const { status, method, scheme, authority, path, protocol } = block.pseudo;
  if ((method ?? scheme ?? authority ?? path ?? protocol) !== undefined) return err('pseudo-field-misplaced');
  if (status === undefined) return err('pseudo-field-missing');
  // 101 is of HTTP/1.1 alone (RFC 9113, 8.6).
  if (!STATUS.test(status) || status === '101') return err('status');
  const told = readFields(block.fields);
  if (typeof told === 'string') return err(told);
  if (status === '204' && (told.contentLength ?? 0) > 0) return err('content-length');
  const bodyBytes = told.contentLength ?? (isEnded ? 0 : undefined);
  const result = ok({ status: Number(status), fields: block.fields, bodyBytes, neverIndexed: block.neverIndexed });
  block.reading = { kind: 'response', isEnded, result };
  return result;
}

export function readTrailers(block: DecodedBlock): Result<Fields, HeadFlaw> {
  if (block.reading?.kind === 'trailers') return block.reading.result;
  const { status, method, scheme, authority, path, protocol } = block.pseudo;
  if ((status ?? method ?? scheme ?? authority ?? path ?? protocol) !== undefined) return err('pseudo-field-misplaced');
  for (let i = 0; i < block.fields.length; i += 2) {
    if (isConnectionField(block.fields[i] ?? '')) return err('connection-field');
  }
  const result = ok(block.fields);
  block.reading = { kind: 'trailers', result };
  return result;
}

/** `last`: those of the request before, which are given again if they are the same. The encoder knows them by that. */
export function requestPseudo(head: RequestHead, last: PseudoFields): PseudoFields {
  const { method, scheme = 'http', authority, target, upgrade: protocol } = head;
  if (method === 'CONNECT' && protocol === undefined) return { ...NO_PSEUDO, method, authority: target };
  const isSame = target === last.path && authority === last.authority && scheme === last.scheme;
  if (isSame && method === last.method && protocol === last.protocol) return last;
  return { method, scheme, authority, path: target, protocol, status: undefined };
}

/** Of the statuses that most responses have. */
const STATUS_PSEUDO = new Map<number, PseudoFields>(
  [200, 204, 304, 404, 500, 502, 503, 504].map((status) => [status, { ...NO_PSEUDO, status: String(status) }]),
);

export function responsePseudo(status: number): PseudoFields {
  return STATUS_PSEUDO.get(status) ?? { ...NO_PSEUDO, status: String(status) };
}

/** No response with 204 declares a length (RFC 9110, 8.6). */
export function withoutLength(fields: Fields): Fields {
  return fields.includes('content-length')
    ? fields.filter((_, index) => fields[index - (index % 2)] !== 'content-length')
    : fields;
}

/** The fields of a head with the length that it declares, if they do not have it already. */
export function withLength(fields: Fields, bodyBytes: number | undefined): Fields {
  if (bodyBytes === undefined || bodyBytes === 0) return fields;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === 'content-length') return fields;
  }
  return [...fields, 'content-length', String(bodyBytes)];
}

/** As SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2). */
export function listBytes({ method, scheme, authority, path, protocol }: PseudoFields, fields: Fields): number {
  let bytes = (fields.length / 2) * FIELD_BYTES;
  for (const text of fields) bytes += text.length;
  if (method !== undefined) bytes += ':method'.length + method.length + FIELD_BYTES;
  if (scheme !== undefined) bytes += ':scheme'.length + scheme.length + FIELD_BYTES;
  if (authority !== undefined) bytes += ':authority'.length + authority.length + FIELD_BYTES;
  if (path !== undefined) bytes += ':path'.length + path.length + FIELD_BYTES;
  if (protocol !== undefined) bytes += ':protocol'.length + protocol.length + FIELD_BYTES;
  return bytes;
}

function flawInRequest(pseudo: PseudoFields, told: Told): HeadFlaw | undefined {
  const { method, scheme, authority, path, protocol, status } = pseudo;
  if (status !== undefined) return 'pseudo-field-misplaced';
  if (method === undefined) return 'pseudo-field-missing';
  if (!METHOD.test(method)) return 'method';
  if (authority !== undefined && !AUTHORITY.test(authority)) return 'authority';
  if (told.host !== undefined && (authority ?? told.host) !== told.host) return 'host';
  if (method === 'CONNECT' && protocol === undefined) {
    if ((scheme ?? path) !== undefined) return 'pseudo-field-misplaced';
    return authority === undefined ? 'pseudo-field-missing' : undefined;
  }
  if (protocol !== undefined && (method !== 'CONNECT' || !METHOD.test(protocol))) return 'pseudo-field-misplaced';
  if (scheme === undefined || path === undefined) return 'pseudo-field-missing';
  if (!SCHEME.test(scheme)) return 'scheme';
  return PATH.test(path) || (path === '*' && method === 'OPTIONS') ? undefined : 'path';
}

function flawInLength({ contentLength }: Told, isEnded: boolean): HeadFlaw | undefined {
  return isEnded && contentLength !== undefined && contentLength > 0 ? 'content-length' : undefined;
}

/** By the length of the name first: most fields are none of these. */
function readFields(fields: Fields): Told | HeadFlaw {
  const told: Told = { contentLength: undefined, host: undefined, expectsContinue: false, cookies: 0 };
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (isConnectionField(name)) return 'connection-field';
    switch (name.length) {
      case 2:
        if (name === 'te' && value !== 'trailers') return 'te';
        break;
      case 4:
        if (name !== 'host') break;
        if (told.host !== undefined || !AUTHORITY.test(value)) return 'host';
        told.host = value;
        break;
      case 6:
        if (name === 'expect' && isContinue(value)) told.expectsContinue = true;
        if (name === 'cookie') told.cookies += 1;
        break;
      case 14:
        if (name !== 'content-length') break;
        if (told.contentLength !== undefined || !DIGITS.test(value)) return 'content-length';
        told.contentLength = Number(value);
    }
  }
  return told;
}

function isContinue(expectation: string): boolean {
  return expectation.toLowerCase() === '100-continue';
}

/** Fields that speak of one connection of HTTP/1.1: RFC 9113, 8.2.2. */
function isConnectionField(name: string): boolean {
  switch (name.length) {
    case 7:
      return name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding';
    default:
      return false;
  }
}

/** Without what the head says; and the crumbs of a cookie as one, as HTTP/1.1 wants it (RFC 9113, 8.2.3). */
function tidyFields(fields: Fields, told: Told): Fields {
  if (told.host === undefined && !told.expectsContinue && told.cookies < 2) return fields;
  const tidy: string[] = [];
  let cookieAt = -1;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name === 'host' || (name === 'expect' && isContinue(value))) continue;
    if (name === 'cookie' && cookieAt >= 0) {
      tidy[cookieAt] = `${tidy[cookieAt]}; ${value}`;
      continue;
    }
    if (name === 'cookie') cookieAt = tidy.length + 1;
    tidy.push(name, value);
  }
  return tidy;
}
