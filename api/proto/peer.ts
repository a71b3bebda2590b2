// The messages between sidecars (internals.proto, common.proto), to bytes and back.
//
// A stream's first message carries the head and may carry the first piece of the body; the others carry pieces, and
// the last may carry HTTP trailers. A unary message is the same head with the whole body inside.
import { err, ok, type Result } from '../../kit/result.ts';
import { fieldName, type Headers, headerValue, without } from '../headers.ts';
import { delimited, nested, text, uint } from './byte-text.ts';
import { FieldCursor } from './field-cursor.ts';

/** The head of a call as the peer protocol has it. */
export interface RequestHeadMessage {
  /** In upper case; empty where the peer names none, or one that is not in the contract. */
  readonly verb: string;
  /** With its leading slash. */
  readonly path: string;
  /** False when a Dapr sidecar decoded the path before it sent it. */
  readonly isCanonicalPath: boolean;
  readonly query: string;
  readonly headers: Headers;
  /** More of them, none of a name that `headers` has: one list for many calls, which is put into bytes once. */
  readonly sharedHeaders?: Headers;
}

export interface ReplyHeadMessage {
  readonly status: number;
  readonly headers: Headers;
}

/** One message of either stream. `data` is a piece of the body with its number. */
export interface StreamMessage<H> {
  readonly head: H | undefined;
  readonly data: Buffer | undefined;
  readonly seq: number;
  readonly trailers: Headers;
}

/** HTTPExtension.Verb, by number; 0 is none. */
const VERBS = ['', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];
const POST = VERBS.indexOf('POST');
const API_VERSION_V1 = 1;

/** A message in two parts that are sent one after the other: a byte string, and the caller's own buffer. */
export interface EncodedMessage {
  readonly front: string;
  readonly piece: Buffer | undefined;
}

export function encodeRequest(message: StreamMessage<RequestHeadMessage>): EncodedMessage {
  return encodeStream(message.head === undefined ? '' : nested(1, requestText(message.head, undefined)), message);
}

export function encodeReply(message: StreamMessage<ReplyHeadMessage>): EncodedMessage {
  return encodeStream(message.head === undefined ? '' : nested(1, replyText(message.head, undefined)), message);
}

export function encodeUnaryRequest(head: RequestHeadMessage, body: Buffer): Buffer {
  return Buffer.from(requestText(head, body), 'latin1');
}

export function encodeUnaryReply(head: ReplyHeadMessage, body: Buffer): Buffer {
  return Buffer.from(replyText(head, body), 'latin1');
}

export function decodeRequest(bytes: Buffer): Result<StreamMessage<RequestHeadMessage>> {
  return decodeStream(bytes, readRequestHead);
}

export function decodeReply(bytes: Buffer): Result<StreamMessage<ReplyHeadMessage>> {
  return decodeStream(bytes, readReplyHead);
}

export function decodeUnaryRequest(bytes: Buffer): Result<{ head: RequestHeadMessage; body: Buffer }> {
  return decodeUnary(bytes, readRequestHead);
}

export function decodeUnaryReply(bytes: Buffer): Result<{ head: ReplyHeadMessage; body: Buffer }> {
  return decodeUnary(bytes, readReplyHead);
}

/** The piece of the body comes last in the message, so that it can be sent as it is. */
function encodeStream(head: string, { data, seq, trailers }: StreamMessage<unknown>): EncodedMessage {
  const front = head + headerMap(100, trailers);
  if (data === undefined) return { front, piece: undefined };
  const payload = uint(2, seq) + delimited(1, data.length);
  return { front: front + delimited(2, payload.length + data.length) + payload, piece: data };
}

function requestText(head: RequestHeadMessage, body: Buffer | undefined): string {
  const verb = VERBS.indexOf(head.verb, 1);
  const http = uint(1, verb > 0 ? verb : POST) + text(2, head.query);
  const message =
    text(1, head.path.startsWith('/') ? head.path.slice(1) : head.path) +
    anyText(2, body) +
    text(3, contentType(head.headers)) +
    nested(4, http);
  return (
    uint(1, API_VERSION_V1) +
    headerMap(2, head.headers, 'content-type') +
    (head.sharedHeaders === undefined ? '' : sharedHeaderMap(head.sharedHeaders)) +
    nested(3, message) +
    uint(100, head.isCanonicalPath ? 1 : 0) +
    (verb > 0 ? '' : text(101, head.verb))
  );
}

function replyText(head: ReplyHeadMessage, body: Buffer | undefined): string {
  const message = anyText(1, body) + text(2, contentType(head.headers));
  return nested(1, uint(1, head.status)) + headerMap(2, head.headers, 'content-type') + nested(4, message);
}

/** google.protobuf.Any around plain bytes. The type URL stays empty, as between Dapr sidecars. */
function anyText(field: number, body: Buffer | undefined): string {
  return body === undefined ? '' : nested(field, nested(2, body.toString('latin1')));
}

/** Dapr keeps it apart from the other headers. */
function contentType(headers: Headers): string {
  return headerValue(headers, 'content-type') ?? '';
}

/** map<string, ListStringValue>: one entry per name, its values in order. */
function headerMap(field: number, headers: Headers, except?: string): string {
  let map = '';
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (name === except || isNamedBefore(headers, name, i)) continue;
    const values = valuesOf(headers, name, i);
    const list = delimited(2, values.length) + values;
    map += nested(field, keyOf(name) + list);
  }
  return map;
}

/** The encoded names of fields, of which there are few; bounded, for strangers make up names. */
const keys = new Map<string, string>();
const KEYS_MAX = 1000;

function keyOf(name: string): string {
  let key = keys.get(name);
  if (key !== undefined) return key;
  key = text(1, name);
  if (keys.size < KEYS_MAX && name.length <= 64) keys.set(fieldName(name), key);
  return key;
}

const sharedMaps = new WeakMap<Headers, string>();

function sharedHeaderMap(headers: Headers): string {
  let map = sharedMaps.get(headers);
  if (map === undefined) {
    // Through bytes: of text that was put together from pieces, each call would have to find the pieces again.
    map = Buffer.from(headerMap(2, headers), 'latin1').toString('latin1');
    sharedMaps.set(headers, map);
  }
  return map;
}

function valuesOf(headers: Headers, name: string, first: number): string {
  let values = nested(1, headers[first + 1] ?? '');
  for (let i = first + 2; i + 1 < headers.length; i += 2) {
    if (headers[i] === name) values += nested(1, headers[i + 1] ?? '');
  }
  return values;
}

/** Looked for again and again: for as few as headers are, cheaper than a Map of them. */
function isNamedBefore(headers: Headers, name: string, at: number): boolean {
  for (let i = 0; i < at; i += 2) if (headers[i] === name) return true;
  return false;
}

/** Of a message that is read where it stands: where its parts are, the last of each kind (proto3). */
interface Part {
  start: number;
  end: number;
}

/**
 * Of the head in a message of a stream: what headers and target may have, and room for how they are written. Its strings keep
 * all of it in memory for as long as the call takes, also what nobody reads.
 */
const HEAD_BYTES_MAX = 192 * 1024;

type ReadHead<H> = (cursor: FieldCursor, body: Part | undefined) => H;

function decodeStream<H>(bytes: Buffer, readHead: ReadHead<H>): Result<StreamMessage<H>> {
  const cursor = new FieldCursor(bytes);
  let trailers = NO_HEADERS;
  let head: Part | undefined;
  let payload: Part | undefined;
  while (cursor.next()) {
    if (cursor.isBytes(1)) head = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2)) payload = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(100)) {
      if (trailers.length === 0) trailers = [];
      readHeader(cursor, bytes.length, trailers);
    }
  }
  let data: Buffer | undefined;
  let seq = 0;
  if (payload !== undefined) {
    data = NO_BYTES;
    cursor.enter(payload.start, payload.end);
    while (cursor.next()) {
      if (cursor.isBytes(1)) data = bytes.subarray(cursor.start, cursor.end);
      else if (cursor.isNumber(2)) seq = cursor.value;
    }
  }
  if (head !== undefined && head.end - head.start > HEAD_BYTES_MAX)
    return err(`its head is larger than ${HEAD_BYTES_MAX} bytes`);
  if (head !== undefined) cursor.enterText(head.start, head.end);
  const message = { head: head === undefined ? undefined : readHead(cursor, undefined), data, seq, trailers };
  return cursor.broken === undefined ? ok(message) : err(cursor.broken);
}

/**
 * Of a message of a stream that is not all here yet: what it says before its piece, and the piece as far as it is here;
 * the rest of the message is the rest of the piece. Undefined where that cannot be told (yet).
 */
export type DecodeFront<H> = (bytes: Buffer, messageBytes: number) => StreamMessage<H> | undefined;

export function decodeRequestFront(bytes: Buffer, messageBytes: number): StreamMessage<RequestHeadMessage> | undefined {
  return decodeFront(bytes, messageBytes, readRequestHead);
}

export function decodeReplyFront(bytes: Buffer, messageBytes: number): StreamMessage<ReplyHeadMessage> | undefined {
  return decodeFront(bytes, messageBytes, readReplyHead);
}

function decodeFront<H>(bytes: Buffer, messageBytes: number, readHead: ReadHead<H>): StreamMessage<H> | undefined {
  const cursor = new FieldCursor(bytes);
  let head: Part | undefined;
  let payloadStart: number | undefined;
  cursor.enter(0, messageBytes);
  while (payloadStart === undefined && cursor.next()) {
    if (cursor.isBytes(1) && cursor.end <= bytes.length) head = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2) && cursor.end === messageBytes) payloadStart = cursor.start;
    else return undefined;
  }
  if (payloadStart === undefined) return undefined;
  let dataStart: number | undefined;
  let seq = 0;
  cursor.enter(payloadStart, messageBytes);
  while (dataStart === undefined && cursor.next()) {
    if (cursor.isNumber(2)) seq = cursor.value;
    else if (cursor.isBytes(1) && cursor.end === messageBytes) dataStart = cursor.start;
    else return undefined;
  }
  if (dataStart === undefined) return undefined;
  if (head !== undefined && head.end - head.start > HEAD_BYTES_MAX) return undefined;
  if (head !== undefined) cursor.enterText(head.start, head.end);
  const data = bytes.subarray(dataStart);
  const message = {
    head: head === undefined ? undefined : readHead(cursor, undefined),
    data,
    seq,
    trailers: NO_HEADERS,
  };
  return cursor.broken === undefined ? message : undefined;
}

function decodeUnary<H>(bytes: Buffer, readHead: ReadHead<H>): Result<{ head: H; body: Buffer }> {
  const cursor = new FieldCursor(bytes);
  const body = { start: 0, end: 0 };
  const head = readHead(cursor, body);
  return cursor.broken === undefined ? ok({ head, body: bytes.subarray(body.start, body.end) }) : err(cursor.broken);
}

const NO_BYTES = Buffer.alloc(0);
const NO_HEADERS: string[] = [];
const NO_PART: Part = { start: 0, end: 0 };

function readRequestHead(cursor: FieldCursor, body: Part | undefined): RequestHeadMessage {
  const headers: string[] = [];
  const { stop } = cursor;
  let message = NO_PART;
  let isCanonicalPath = false;
  let named = '';
  while (cursor.next()) {
    if (cursor.isBytes(2)) readHeader(cursor, stop, headers);
    else if (cursor.isBytes(3)) message = { start: cursor.start, end: cursor.end };
    else if (cursor.isNumber(100)) isCanonicalPath = cursor.value !== 0;
    else if (cursor.isBytes(101)) named = cursor.string();
  }
  let path = '';
  let type = '';
  let any = NO_PART;
  let http = NO_PART;
  cursor.enter(message.start, message.end);
  while (cursor.next()) {
    if (cursor.isBytes(1)) path = cursor.string();
    else if (cursor.isBytes(2)) any = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(3)) type = cursor.string();
    else if (cursor.isBytes(4)) http = { start: cursor.start, end: cursor.end };
  }
  readAny(cursor, any, body);
  let verb = 0;
  let query = '';
  cursor.enter(http.start, http.end);
  while (cursor.next()) {
    if (cursor.isNumber(1)) verb = cursor.value;
    else if (cursor.isBytes(2)) query = cursor.string();
  }
  return {
    verb: named !== '' ? named : (VERBS[verb] ?? ''),
    path: path.startsWith('/') ? path : `/${path}`,
    isCanonicalPath,
    query,
    headers: withContentType(headers, type),
  };
}

function readReplyHead(cursor: FieldCursor, body: Part | undefined): ReplyHeadMessage {
  const headers: string[] = [];
  const { stop } = cursor;
  let statusPart = NO_PART;
  let message = NO_PART;
  while (cursor.next()) {
    if (cursor.isBytes(1)) statusPart = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2)) readHeader(cursor, stop, headers);
    else if (cursor.isBytes(4)) message = { start: cursor.start, end: cursor.end };
  }
  let status = 0;
  cursor.enter(statusPart.start, statusPart.end);
  while (cursor.next()) if (cursor.isNumber(1)) status = cursor.value;
  let type = '';
  let any = NO_PART;
  cursor.enter(message.start, message.end);
  while (cursor.next()) {
    if (cursor.isBytes(1)) any = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2)) type = cursor.string();
  }
  readAny(cursor, any, body);
  return { status, headers: withContentType(headers, type) };
}

/** Where Dapr's message names a content type, that one counts. */
function withContentType(headers: Headers, type: string): Headers {
  return type === '' ? headers : ['content-type', type, ...without(headers, 'content-type')];
}

function readAny(cursor: FieldCursor, any: Part, body: Part | undefined): void {
  cursor.enter(any.start, any.end);
  while (cursor.next()) {
    if (body === undefined || !cursor.isBytes(2)) continue;
    body.start = cursor.start;
    body.end = cursor.end;
  }
}

/** More than any honest message has; a message with more is not read to its end, for that could take a second. */
const FIELDS_READ_MAX = 1000;

/** The entry of the map that the cursor has found, to the end of the list of headers; then the cursor goes on to `stop`. */
function readHeader(cursor: FieldCursor, stop: number, headers: string[]): void {
  const { start, end } = cursor;
  let name = '';
  let listStart = 0;
  let listEnd = 0;
  cursor.enter(start, end);
  while (cursor.next()) {
    if (cursor.isBytes(1)) {
      name = fieldName(cursor.string());
    } else if (cursor.isBytes(2)) {
      listStart = cursor.start;
      listEnd = cursor.end;
    }
  }
  cursor.enter(listStart, listEnd);
  while (cursor.next()) {
    if (!cursor.isBytes(1)) continue;
    headers.push(name, cursor.string());
    if (headers.length / 2 > FIELDS_READ_MAX)
      cursor.broken = `a message has more than ${FIELDS_READ_MAX} header fields`;
  }
  cursor.enter(end, stop);
}

/** Takes messages of a stream in turn and insists on their order: one head, first; pieces numbered from 0. */
export class StreamOrder {
  #sawHead = false;
  #nextSeq = 0;

  accept(message: StreamMessage<unknown>): Result<void> {
    if (this.#sawHead && message.head !== undefined) return err('a second head arrived in the stream');
    if (!this.#sawHead && message.head === undefined) return err('the stream does not begin with a head');
    this.#sawHead = true;
    if (message.data === undefined) return ok(undefined);
    if (message.seq !== this.#nextSeq) return err(`piece ${message.seq} arrived where piece ${this.#nextSeq} belongs`);
    this.#nextSeq++;
    return ok(undefined);
  }
}
