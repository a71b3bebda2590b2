// An HTTP call as an app that speaks gRPC is told of it: the head of the InvokeRequest, and the metadata.
import { isUtf8 } from 'node:buffer';
import type { Call } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerValue, isMetadataName } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import type { InvokeRequestHead } from '../../api/proto/invoke.ts';
import { VERBS } from '../../api/proto/peer.ts';
import { traceBin } from '../../api/trace.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export function invokeRequestHead(call: Call): Result<InvokeRequestHead, Fault> {
  const verb = VERBS.indexOf(call.method, 1);
  if (verb < 1) return err(noSuchVerb(call));
  const method = call.path.slice(1);
  if (WOULD_READ_OTHERWISE.test(method)) return err(noMethodName(call));
  return ok({
    method: method.replace(TRIPLET, byteOf),
    contentType: asUtf8(headerValue(call.headers, 'content-type') ?? ''),
    verb,
    query: isUtf8(Buffer.from(call.query, 'latin1')) ? call.query : call.query.replace(HIGH_BYTE, tripletOf),
    dataTypeUrl: call.dataTypeUrl ?? '',
  });
}

/** The method is the path decoded, as a Dapr sidecar gives it; these would then not be what was judged. */
const WOULD_READ_OTHERWISE = /%(2F|3F|23)/;
const TRIPLET = /%([0-9A-F]{2})/g;
const HIGH_BYTE = /[\x80-\xff]/g;

function byteOf(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function tripletOf(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** What is no UTF-8 is read as Latin-1, which header values were once. */
function asUtf8(bytes: string): string {
  return isUtf8(Buffer.from(bytes, 'latin1')) ? bytes : Buffer.from(bytes).toString('latin1');
}

/** Names that Dapr puts `dapr-` before: they speak of an HTTP message, which this is no longer. */
const OF_HTTP = new Set([
  ...[
    'accept',
    'accept-charset',
    'accept-language',
    'accept-ranges',
    'cache-control',
    'content-type',
    'cookie',
    'date',
  ],
  ...['from', 'if-match', 'if-modified-since', 'if-none-match', 'if-schedule-tag-match', 'if-unmodified-since'],
  ...['max-forwards', 'origin', 'pragma', 'referer', 'via', 'warning'],
]);

/** Undefined for what gRPC has no such names for, or means something by. */
function metadataName(name: string): string | undefined {
  if (OF_HTTP.has(name)) return `dapr-${name}`;
  return isMetadataName(name) ? name : undefined;
}

export function invokeMetadata({ headers }: Call): Headers {
  const metadata = ['content-type', 'application/grpc'];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = metadataName(headers[i] ?? '');
    if (name !== undefined) metadata.push(name, headers[i + 1] ?? '');
  }
  const trace = traceBin(headerValue(headers, 'traceparent') ?? '');
  if (trace !== undefined) metadata.push('grpc-trace-bin', trace);
  return metadata;
}

/** What may not be kept in tables, by its new name. */
export function neverIndexedMetadata({ neverIndexed }: Call): Pick<Call, 'neverIndexed'> {
  return neverIndexed === undefined
    ? {}
    : { neverIndexed: new Set([...neverIndexed].map((n) => metadataName(n) ?? n)) };
}

function noSuchVerb({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} speaks gRPC, and Dapr's contract for such apps has no such verb; call it with one of ${VERBS.slice(1).join(', ')}.`;
  return fault('unimplemented', message);
}

function noMethodName({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} speaks gRPC and is given the path decoded, in which an encoded slash, question mark or hash could not be told from a plain one; nothing was sent. Send it in the query or in the body.`;
  return fault('bad-request', message);
}
