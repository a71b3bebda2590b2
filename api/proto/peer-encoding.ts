// Messages between sidecars, to bytes: as byte strings, which are what headers are here (byte-text.ts).
import { fieldName, type Headers, headerValue } from '../headers.ts';
import { delimited, nested, text, uint } from './byte-text.ts';
import { type ReplyHeadMessage, type RequestHeadMessage, type StreamMessage, VERBS } from './peer.ts';

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
    anyText(2, body, head.dataTypeUrl) +
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
  const message = anyText(1, body, head.dataTypeUrl) + text(2, contentType(head.headers));
  return (
    nested(1, uint(1, head.status) + saidOfStatus(head)) +
    headerMap(2, head.headers, 'content-type') +
    nested(4, message)
  );
}

/** Nothing, of an app that speaks HTTP. */
function saidOfStatus({ message, details }: ReplyHeadMessage): string {
  let said = message === undefined ? '' : text(2, Buffer.from(message).toString('latin1'));
  if (details !== undefined) for (const detail of details) said += nested(3, detail.toString('latin1'));
  return said;
}

/** google.protobuf.Any around the body, which is elsewhere in a stream. Nearly always the bytes are of no type. */
function anyText(field: number, body: Buffer | undefined, typeUrl: string | undefined): string {
  if (typeUrl !== undefined) return nested(field, text(1, typeUrl) + bodyText(body));
  return body === undefined ? '' : nested(field, bodyText(body));
}

function bodyText(body: Buffer | undefined): string {
  return body === undefined ? '' : nested(2, body.toString('latin1'));
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
