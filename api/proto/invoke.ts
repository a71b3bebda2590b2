// The two messages of AppCallback/OnInvoke (common.proto), as a sidecar says the one and hears the other. Strings are byte
// strings, and have to be UTF-8: apps refuse a message whose strings are not.
import { err, ok, type Result } from '../../kit/result.ts';
import { delimited, nested, text, uint } from './byte-text.ts';
import { FieldCursor } from './field-cursor.ts';

export interface InvokeRequestHead {
  /** A path without its leading slash. */
  readonly method: string;
  readonly contentType: string;
  /** HTTPExtension.Verb. */
  readonly verb: number;
  readonly query: string;
  /** Of the body, if anybody said what it is. */
  readonly dataTypeUrl: string;
}

/** An InvokeRequest up to its body, of which `bodyBytes` follow and end the message: a large one is sent as it comes. */
export function encodeInvokeRequestFront(head: InvokeRequestHead, bodyBytes: number): string {
  const http = uint(1, head.verb) + text(2, head.query);
  const data = text(1, head.dataTypeUrl) + (bodyBytes === 0 ? '' : delimited(2, bodyBytes));
  return (
    text(1, head.method) + text(3, head.contentType) + nested(4, http) + delimited(2, data.length + bodyBytes) + data
  );
}

export interface InvokeResponse {
  readonly contentType: string;
  readonly dataTypeUrl: string;
  /** A part of the message's own bytes. */
  readonly body: Buffer;
}

export function decodeInvokeResponse(bytes: Buffer): Result<InvokeResponse> {
  const cursor = new FieldCursor(bytes);
  let contentType = '';
  let data = { start: 0, end: 0 };
  while (cursor.next()) {
    if (cursor.isBytes(1)) data = { start: cursor.start, end: cursor.end };
    else if (cursor.isBytes(2)) contentType = cursor.string();
  }
  let dataTypeUrl = '';
  let body: Buffer = NO_BYTES;
  if (cursor.broken === undefined) cursor.enter(data.start, data.end);
  while (cursor.next()) {
    if (cursor.isBytes(1)) dataTypeUrl = cursor.string();
    else if (cursor.isBytes(2)) body = bytes.subarray(cursor.start, cursor.end);
  }
  return cursor.broken === undefined ? ok({ contentType, dataTypeUrl, body }) : err(cursor.broken);
}

const NO_BYTES = Buffer.alloc(0);
