// The messages between sidecars (internals.proto, common.proto), to bytes and back.
//
// A stream's first message carries the head and may carry the first piece of the body; the others carry pieces, and
// the last may carry HTTP trailers. A unary message is the same head with the whole body inside.
import { err, ok, type Result } from '../../kit/result.ts';
import type { Headers } from '../headers.ts';
import { headerValue, without } from '../headers.ts';
import { allBytes, lastBytes, lastNumber, lastString, type ProtoField, ProtoWriter, readFields } from './protobuf.ts';

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

/** A message in two parts that are sent one after the other; the piece is the caller's own buffer. */
export interface EncodedMessage {
  readonly front: Buffer;
  readonly piece: Buffer | undefined;
}

type WriteHead<H> = (writer: ProtoWriter, head: H, body: Uint8Array | undefined) => void;
type ReadHead<H> = (bytes: Buffer) => Result<{ head: H; body: Buffer }>;

export const decodeRequest = (bytes: Buffer): Result<StreamMessage<RequestHeadMessage>> =>
  decodeStream(bytes, readRequest);
export const decodeReply = (bytes: Buffer): Result<StreamMessage<ReplyHeadMessage>> => decodeStream(bytes, readReply);

export function encodeRequest(message: StreamMessage<RequestHeadMessage>): EncodedMessage {
  return encodeStream(message, writeRequest);
}

export function encodeReply(message: StreamMessage<ReplyHeadMessage>): EncodedMessage {
  return encodeStream(message, writeReply);
}

export function encodeUnaryRequest(head: RequestHeadMessage, body: Uint8Array): Buffer {
  return written((writer) => writeRequest(writer, head, body));
}

export function encodeUnaryReply(head: ReplyHeadMessage, body: Uint8Array): Buffer {
  return written((writer) => writeReply(writer, head, body));
}

export const decodeUnaryRequest: ReadHead<RequestHeadMessage> = (bytes) => readRequest(bytes);
export const decodeUnaryReply: ReadHead<ReplyHeadMessage> = (bytes) => readReply(bytes);

/** The piece of the body comes last in the message, so that it can be sent as it is. */
function encodeStream<H>({ head, data, seq, trailers }: StreamMessage<H>, writeHead: WriteHead<H>): EncodedMessage {
  const writer = new ProtoWriter();
  if (head !== undefined) writer.message(1, (inner) => writeHead(inner, head, undefined));
  writeHeaderMap(writer, 100, trailers);
  if (data !== undefined) {
    const payload = new ProtoWriter(24);
    payload.uint(2, seq);
    payload.header(1, data.length);
    const front = payload.finish();
    writer.header(2, front.length + data.length);
    writer.raw(front);
  }
  return { front: writer.finish(), piece: data };
}

function decodeStream<H>(bytes: Buffer, readHead: ReadHead<H>): Result<StreamMessage<H>> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const headBytes = lastBytes(fields.value, 1);
  const head = headBytes === undefined ? undefined : readHead(headBytes);
  if (head !== undefined && !head.ok) return head;
  const payloadBytes = lastBytes(fields.value, 2);
  const payload = payloadBytes === undefined ? undefined : readFields(payloadBytes);
  if (payload !== undefined && !payload.ok) return payload;
  const trailers = readHeaderMap(fields.value, 100);
  if (!trailers.ok) return trailers;
  return ok({
    head: head?.value.head,
    data: payload === undefined ? undefined : (lastBytes(payload.value, 1) ?? Buffer.alloc(0)),
    seq: payload === undefined ? 0 : lastNumber(payload.value, 2),
    trailers: trailers.value,
  });
}

function writeRequest(writer: ProtoWriter, head: RequestHeadMessage, body: Uint8Array | undefined): void {
  const verb = VERBS.indexOf(head.verb, 1);
  writer.uint(1, API_VERSION_V1);
  writeHeaderMap(writer, 2, without(head.headers, 'content-type'));
  writer.message(3, (message) => {
    message.string(1, head.path.startsWith('/') ? head.path.slice(1) : head.path);
    if (body !== undefined) writeAny(message, 2, body);
    message.string(3, headerValue(head.headers, 'content-type') ?? '');
    message.message(4, (http) => {
      http.uint(1, verb > 0 ? verb : POST);
      http.string(2, head.query);
    });
  });
  writer.bool(100, head.isCanonicalPath);
  if (verb <= 0) writer.string(101, head.verb);
}

function readRequest(bytes: Buffer): Result<{ head: RequestHeadMessage; body: Buffer }> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const headers = readHeaderMap(fields.value, 2);
  const message = readFields(lastBytes(fields.value, 3) ?? Buffer.alloc(0));
  if (!headers.ok) return headers;
  if (!message.ok) return message;
  const http = readFields(lastBytes(message.value, 4) ?? Buffer.alloc(0));
  if (!http.ok) return http;
  const body = readAny(message.value, 2);
  if (!body.ok) return body;
  const path = lastString(message.value, 1);
  const named = lastString(fields.value, 101);
  return ok({
    head: {
      verb: named !== '' ? named : (VERBS[lastNumber(http.value, 1)] ?? ''),
      path: path.startsWith('/') ? path : `/${path}`,
      isCanonicalPath: lastNumber(fields.value, 100) !== 0,
      query: lastString(http.value, 2),
      headers: withContentType(headers.value, lastString(message.value, 3)),
    },
    body: body.value,
  });
}

function writeReply(writer: ProtoWriter, head: ReplyHeadMessage, body: Uint8Array | undefined): void {
  writer.message(1, (status) => status.uint(1, head.status));
  writeHeaderMap(writer, 2, without(head.headers, 'content-type'));
  writer.message(4, (message) => {
    if (body !== undefined) writeAny(message, 1, body);
    message.string(2, headerValue(head.headers, 'content-type') ?? '');
  });
}

function readReply(bytes: Buffer): Result<{ head: ReplyHeadMessage; body: Buffer }> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const status = readFields(lastBytes(fields.value, 1) ?? Buffer.alloc(0));
  const headers = readHeaderMap(fields.value, 2);
  const message = readFields(lastBytes(fields.value, 4) ?? Buffer.alloc(0));
  if (!status.ok) return status;
  if (!headers.ok) return headers;
  if (!message.ok) return message;
  const body = readAny(message.value, 1);
  if (!body.ok) return body;
  const head = {
    status: lastNumber(status.value, 1),
    headers: withContentType(headers.value, lastString(message.value, 2)),
  };
  return ok({ head, body: body.value });
}

/** Dapr keeps the content type apart from the other headers; where it names one, that one counts. */
function withContentType(headers: Headers, contentType: string): Headers {
  if (contentType === '') return headers;
  return ['content-type', contentType, ...without(headers, 'content-type')];
}

/** google.protobuf.Any around plain bytes. The type URL stays empty, as between Dapr sidecars. */
function writeAny(writer: ProtoWriter, field: number, body: Uint8Array): void {
  writer.message(field, (any) => any.bytes(2, body));
}

function readAny(fields: readonly ProtoField[], number: number): Result<Buffer> {
  const any = readFields(lastBytes(fields, number) ?? Buffer.alloc(0));
  return any.ok ? ok(lastBytes(any.value, 2) ?? Buffer.alloc(0)) : any;
}

/** map<string, ListStringValue>: one entry per name, its values in order. */
function writeHeaderMap(writer: ProtoWriter, field: number, headers: Headers): void {
  const byName = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const values = byName.get(name);
    if (values) values.push(headers[i + 1] ?? '');
    else byName.set(name, [headers[i + 1] ?? '']);
  }
  for (const [name, values] of byName) {
    writer.message(field, (entry) => {
      entry.string(1, name);
      entry.message(2, (list) => {
        for (const value of values) list.bytes(1, Buffer.from(value, 'latin1'));
      });
    });
  }
}

/** More than any honest message has; a message with more is not read to its end, for that could take a second. */
const FIELDS_READ_MAX = 1000;

function readHeaderMap(fields: readonly ProtoField[], number: number): Result<Headers> {
  const headers: string[] = [];
  for (const bytes of allBytes(fields, number)) {
    const entry = readFields(bytes);
    if (!entry.ok) return entry;
    const list = readFields(lastBytes(entry.value, 2) ?? Buffer.alloc(0));
    if (!list.ok) return list;
    const name = lastString(entry.value, 1).toLowerCase();
    for (const value of allBytes(list.value, 1)) headers.push(name, value.toString('latin1'));
    if (headers.length / 2 > FIELDS_READ_MAX) return err(`a message has more than ${FIELDS_READ_MAX} header fields`);
  }
  return ok(headers);
}

function written(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
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
