// Messages between sidecars, from bytes: read where they stand (field-cursor.ts).
import { err, ok, type Result } from '../../kit/result.ts';
import { fieldName, type Headers, without } from '../headers.ts';
import { FieldCursor } from './field-cursor.ts';
import { HTTP_STATUS_MIN, type ReplyHeadMessage, type RequestHeadMessage, type StreamMessage, VERBS } from './peer.ts';
import { DETAILS_MAX } from './rpc-status.ts';

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
  const dataTypeUrl = readAny(cursor, any, body);
  let verb = 0;
  let query = '';
  cursor.enter(http.start, http.end);
  while (cursor.next()) {
    if (cursor.isNumber(1)) verb = cursor.value;
    else if (cursor.isBytes(2)) query = cursor.string();
  }
  const head = {
    verb: named !== '' ? named : (VERBS[verb] ?? '?'),
    path: path.startsWith('/') ? path : `/${path}`,
    isCanonicalPath,
    query,
    headers: withContentType(headers, type),
  };
  return dataTypeUrl === '' ? head : { ...head, dataTypeUrl };
}

function readReplyHead(cursor: FieldCursor, body: Part | undefined): ReplyHeadMessage {
  const headers: string[] = [];
  const { stop } = cursor;
  let trailers = NO_HEADERS;
  let statusPart = NO_PART;
  let message = NO_PART;
  while (cursor.next()) {
    if (cursor.isBytes(1)) statusPart = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2)) readHeader(cursor, stop, headers);
    else if (cursor.isBytes(3)) {
      if (trailers.length === 0) trailers = [];
      readHeader(cursor, stop, trailers);
    } else if (cursor.isBytes(4)) message = { start: cursor.start, end: cursor.end };
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
  const dataTypeUrl = readAny(cursor, any, body);
  const head = { status, headers: withContentType(headers, type) };
  // What an app that speaks HTTP never has: nearly every reply is done here.
  if (status >= HTTP_STATUS_MIN && dataTypeUrl === '' && trailers.length === 0) return head;
  return {
    ...head,
    ...(status < HTTP_STATUS_MIN && readStatus(cursor, statusPart)),
    ...(dataTypeUrl !== '' && { dataTypeUrl }),
    ...(trailers.length > 0 && { trailers }),
  };
}

/** What is said of a gRPC status. */
function readStatus(cursor: FieldCursor, part: Part): Pick<ReplyHeadMessage, 'message' | 'details'> {
  let message = '';
  const details: Buffer[] = [];
  cursor.enter(part.start, part.end);
  while (cursor.next()) {
    if (cursor.isBytes(2)) message = cursor.bytes.toString('utf8', cursor.start, cursor.end);
    else if (cursor.isBytes(3)) {
      details.push(cursor.bytes.subarray(cursor.start, cursor.end));
      if (details.length > DETAILS_MAX) cursor.broken = `a status has more than ${DETAILS_MAX} details`;
    }
  }
  return { ...(message !== '' && { message }), ...(details.length > 0 && { details }) };
}

/** Where Dapr's message names a content type, that one counts. */
function withContentType(headers: Headers, type: string): Headers {
  return type === '' ? headers : ['content-type', type, ...without(headers, 'content-type')];
}

/** The type URL, which is nearly always empty; where the value is, goes into `body`. */
function readAny(cursor: FieldCursor, any: Part, body: Part | undefined): string {
  let typeUrl = '';
  cursor.enter(any.start, any.end);
  while (cursor.next()) {
    if (cursor.isBytes(1)) typeUrl = cursor.string();
    if (body === undefined || !cursor.isBytes(2)) continue;
    body.start = cursor.start;
    body.end = cursor.end;
  }
  return typeUrl;
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
