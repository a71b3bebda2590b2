// Heads as text, and the framing that goes with them. Nothing is written that a reader could take for another message:
// framing and connection fields are written here alone, and every other name and value is looked at.
import { err, ok, type Result } from '../../kit/result.ts';
import { type FieldFlaw, flawIn, isFieldValue } from '../fields.ts';
import type { Fields, RequestHead, ResponseHead } from '../message.ts';
import { isAuthority, isTargetText, isToken } from './bytes.ts';
import { fieldLines, Writing } from './written-lines.ts';

/** How the body of a message of ours is delimited. */
export type Delimiting = 'none' | 'length' | 'chunked' | 'close';

export interface WrittenHead {
  readonly text: string;
  readonly delimiting: Delimiting;
}

export type HeadFlaw = FieldFlaw | 'method' | 'target' | 'authority' | 'upgrade' | 'status' | 'body-bytes';

/** What a response has to keep to because of the request and of the connection. */
export interface ResponseSetting {
  readonly method: string;
  readonly minorVersion: number;
  /** Whether the connection lives on. */
  readonly isKept: boolean;
}

export function writeResponseHead(head: ResponseHead, setting: ResponseSetting): Result<WrittenHead, HeadFlaw> {
  const { status, bodyBytes } = head;
  if (!Number.isInteger(status) || status < 200 || status > 599) return err('status');
  if (!isLength(bodyBytes)) return err('body-bytes');
  const lines = fieldLines(head.fields, Writing.RESPONSE);
  if (lines === undefined) return unwritable(head.fields);
  const delimiting = responseDelimiting(status, bodyBytes, setting);
  const hasNoLength = status === 204 || (setting.method === 'CONNECT' && status < 300);
  const text =
    statusLine(status) +
    lines +
    (bodyBytes === undefined || hasNoLength ? '' : `content-length: ${bodyBytes}\r\n`) +
    (delimiting === 'chunked' ? 'transfer-encoding: chunked\r\n' : '') +
    connectionLine(setting, delimiting);
  return ok({ text: `${text}\r\n`, delimiting });
}

/** 101 and 2xx to CONNECT: what follows is no HTTP. */
export function writeSwitchingHead(head: ResponseHead): Result<string, HeadFlaw> {
  const isUpgrade = head.status === 101;
  const lines = fieldLines(head.fields, isUpgrade ? Writing.UPGRADE : Writing.RESPONSE);
  if (lines === undefined) return unwritable(head.fields);
  return ok(`${statusLine(head.status)}${lines}${isUpgrade ? 'connection: upgrade\r\n' : ''}\r\n`);
}

export function writeInformational(status: number, fields: Fields): Result<string, HeadFlaw> {
  if (!Number.isInteger(status) || status < 100 || status > 199 || status === 101) return err('status');
  const lines = fieldLines(fields, Writing.RESPONSE);
  return lines === undefined ? unwritable(fields) : ok(`${statusLine(status)}${lines}\r\n`);
}

export function writeRequestHead(head: RequestHead): Result<WrittenHead, HeadFlaw> {
  const { method, target, authority, bodyBytes, upgrade } = head;
  if (!isToken(method)) return err('method');
  if (!isTargetText(target)) return err('target');
  const hostLine = hostLineOf(authority ?? '');
  if (hostLine === undefined) return err('authority');
  if (upgrade !== undefined && !isFieldValue(upgrade)) return err('upgrade');
  if (!isLength(bodyBytes)) return err('body-bytes');
  const lines = fieldLines(head.fields, Writing.REQUEST);
  if (lines === undefined) return unwritable(head.fields);
  const text =
    `${method} ${target}${hostLine}${lines}` +
    requestFraming(method, bodyBytes) +
    (upgrade === undefined ? '' : `connection: upgrade\r\nupgrade: ${upgrade}\r\n`) +
    (head.expectsContinue ? 'expect: 100-continue\r\n' : '');
  return ok({
    text: `${text}\r\n`,
    delimiting: bodyBytes === undefined ? 'chunked' : 'length',
  });
}

/** Most requests go where the one before went. */
let lastAuthority = '';
let lastHostLine = ' HTTP/1.1\r\nhost: \r\n';

/** What ends a request's first line, and the second; undefined where this is no authority. */
function hostLineOf(authority: string): string | undefined {
  if (authority === lastAuthority) return lastHostLine;
  if (!isAuthority(authority)) return undefined;
  lastAuthority = authority;
  lastHostLine = ` HTTP/1.1\r\nhost: ${authority}\r\n`;
  return lastHostLine;
}

/** The end of a chunked body. */
export function writeLastChunk(trailers: Fields): Result<string, HeadFlaw> {
  if (trailers.length === 0) return ok('0\r\n\r\n');
  const lines = fieldLines(trailers, Writing.TRAILERS);
  return lines === undefined ? unwritable(trailers) : ok(`0\r\n${lines}\r\n`);
}

/** Methods for whose requests a body means something: without one they say so, or servers answer 411. */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

function requestFraming(method: string, bodyBytes: number | undefined): string {
  if (bodyBytes === undefined) return 'transfer-encoding: chunked\r\n';
  return bodyBytes > 0 || WITH_BODY.has(method) ? `content-length: ${bodyBytes}\r\n` : '';
}

function responseDelimiting(status: number, bodyBytes: number | undefined, setting: ResponseSetting): Delimiting {
  if (setting.method === 'HEAD' || status === 204 || status === 304) return 'none';
  if (bodyBytes !== undefined) return 'length';
  return setting.minorVersion === 1 ? 'chunked' : 'close';
}

function connectionLine({ isKept, minorVersion }: ResponseSetting, delimiting: Delimiting): string {
  if (!isKept || delimiting === 'close') return 'connection: close\r\n';
  return minorVersion === 1 ? '' : 'connection: keep-alive\r\n';
}

/** What the lines could not be made of. */
function unwritable(fields: Fields): { readonly ok: false; readonly error: FieldFlaw } {
  return err(flawIn(fields) ?? 'field-value');
}

function isLength(bodyBytes: number | undefined): boolean {
  return bodyBytes === undefined || (Number.isSafeInteger(bodyBytes) && bodyBytes >= 0);
}

const REASONS: Readonly<Record<number, string>> = {
  ...{ 100: 'Continue', 101: 'Switching Protocols', 102: 'Processing', 103: 'Early Hints' },
  ...{ 200: 'OK', 201: 'Created', 202: 'Accepted', 203: 'Non-Authoritative Information', 204: 'No Content' },
  ...{ 205: 'Reset Content', 206: 'Partial Content', 300: 'Multiple Choices', 301: 'Moved Permanently', 302: 'Found' },
  ...{ 303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect' },
  ...{ 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed' },
  ...{ 406: 'Not Acceptable', 408: 'Request Timeout', 409: 'Conflict', 410: 'Gone', 411: 'Length Required' },
  ...{ 412: 'Precondition Failed', 413: 'Content Too Large', 414: 'URI Too Long', 415: 'Unsupported Media Type' },
  ...{ 417: 'Expectation Failed', 421: 'Misdirected Request', 422: 'Unprocessable Content', 426: 'Upgrade Required' },
  ...{ 428: 'Precondition Required', 429: 'Too Many Requests', 431: 'Request Header Fields Too Large' },
  ...{ 500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable' },
  ...{ 504: 'Gateway Timeout', 505: 'HTTP Version Not Supported' },
};

/** Such as `Not Found`; undefined where nobody has named the status. */
export function reasonOf(status: number): string | undefined {
  return REASONS[status];
}

const statusLines = new Map(
  Object.entries(REASONS).map(([status, reason]) => [Number(status), `HTTP/1.1 ${status} ${reason}\r\n`]),
);

function statusLine(status: number): string {
  return statusLines.get(status) ?? `HTTP/1.1 ${status} \r\n`;
}
