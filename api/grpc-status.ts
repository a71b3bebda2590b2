// What ends a call, as gRPC says it: in trailers. Of a fault, `grpc-status` is for any peer, `invoke-fault` for one of ours.
import { excerpt } from '../kit/text.ts';
import type { GrpcOutcome } from './exchange.ts';
import { type Fault, type FaultCode, fault, faultCodeOfGrpcStatus, grpcStatus, isFaultCode } from './fault.ts';
import { type Headers, headerValue } from './headers.ts';
import { encodeRetryInfo, encodeRpcStatus } from './proto/rpc-status.ts';

/** The trailers of a call that ended with a status of its own; details that no head would have room for are left out. */
export function outcomeTrailers(outcome: GrpcOutcome): Headers {
  const { code, message, details } = outcome;
  const trailers = ['grpc-status', String(code)];
  if (message !== '') trailers.push('grpc-message', encodeGrpcMessage(message.slice(0, MESSAGE_CHARACTERS_MAX)));
  if (details.length === 0) return trailers;
  const status = encodeRpcStatus(outcome);
  if (status.length <= DETAILS_BYTES_MAX) trailers.push('grpc-status-details-bin', status.toString('base64'));
  return trailers;
}

/** gRPC trailers for a peer or an app: the status, and the word that says whether the app can have seen the call. */
export function faultTrailers(refused: Fault, status = grpcStatus(refused.code)): Headers {
  // A head that is larger than heads may be would end the connection, and every call on it.
  const message = refused.message.slice(0, MESSAGE_CHARACTERS_MAX);
  const trailers = [
    ...['grpc-status', String(status), 'grpc-message', encodeGrpcMessage(message)],
    ...['invoke-fault', refused.code],
  ];
  const { retryAfterSec } = refused;
  return retryAfterSec === undefined ? trailers : [...trailers, ...retryTrailers(status, message, retryAfterSec)];
}

/** For gRPC's own retries a number (gRFC A6, which is what peers read, too), for programs a google.rpc.RetryInfo. */
function retryTrailers(code: number, message: string, retryAfterSec: number): Headers {
  const status = encodeRpcStatus({ code, message, details: [encodeRetryInfo(retryAfterSec)] });
  return [
    ...['grpc-retry-pushback-ms', String(retryAfterSec * 1000)],
    ...['grpc-status-details-bin', status.toString('base64')],
  ];
}

/** The fault that a peer's trailers tell of; undefined when they tell of success. */
export function faultOfTrailers(trailers: Headers): Fault | undefined {
  const status = Number(headerValue(trailers, 'grpc-status') ?? 2);
  if (status === 0) return undefined;
  const named = headerValue(trailers, 'invoke-fault') ?? '';
  const message =
    decodeGrpcMessage(headerValue(trailers, 'grpc-message') ?? '') || `the peer answered with gRPC status ${status}`;
  const code = isFaultCode(named) && CALLEE_FAULTS.has(named) ? named : faultCodeOfGrpcStatus(status);
  const heard = fault(code, excerpt(message, MESSAGE_CHARACTERS_MAX));
  const retryAfterSec = pushedBackSec(headerValue(trailers, 'grpc-retry-pushback-ms'));
  return retryAfterSec === undefined ? heard : { ...heard, retryAfterSec };
}

/** Whatever else may stand there, such as the -1 by which servers forbid retries, is no time to come back. */
function pushedBackSec(ms: string | undefined): number | undefined {
  return ms !== undefined && /^\d{1,9}$/.test(ms) ? Math.max(1, Math.ceil(Number(ms) / 1000)) : undefined;
}

/** What the callee's side of a call can find out. Any other word of ours would be said about this side, falsely. */
const CALLEE_FAULTS: ReadonlySet<FaultCode> = new Set([
  'bad-request',
  'denied',
  'body-too-large',
  'headers-too-large',
  'rate-limited',
  'unimplemented',
  'internal',
  'not-ready',
  'draining',
  'app-unreachable',
  'app-unhealthy',
  'app-busy',
  'app-closing',
  'app-broke',
  'timeout',
]);
const GRPC_STATUS_MAX = 16;

/** One of the seventeen that there are; what else an app may write is none. */
export function knownGrpcStatus(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,2}$/.test(text) && Number(text) <= GRPC_STATUS_MAX ? Number(text) : undefined;
}

/** By code, 0 to 16: what HTTP makes of an app's gRPC status. Dapr's contract; the same table as grpc-gateway's, but for 1. */
const HTTP_OF_GRPC = [200, 408, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

export function httpStatusOfGrpc(code: number): number {
  return HTTP_OF_GRPC[code] ?? 500;
}

const GRPC_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 5,
  408: 1,
  409: 6,
  429: 8,
  500: 2,
  501: 12,
  503: 14,
  504: 4,
};
const UNKNOWN = 2;

/** What gRPC makes of an app's HTTP status. Dapr's contract. */
export function grpcStatusOfHttp(status: number): number {
  return status >= 200 && status < 300 ? 0 : (GRPC_OF_HTTP[status] ?? UNKNOWN);
}

const MESSAGE_CHARACTERS_MAX = 1000;
/** In base64 it is a third more; heads of 64 KiB are usual. */
const DETAILS_BYTES_MAX = 32 * 1024;

/** gRPC over HTTP/2, "Status-Message": percent-encoded UTF-8. */
function encodeGrpcMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** What is no such code is shown as it came. */
export function decodeGrpcMessage(text: string): string {
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
