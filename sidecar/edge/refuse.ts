// The one place where a fault becomes an HTTP response. (For a peer it becomes gRPC trailers: api/grpc-status.ts.)
import { daprHttpStatus, type Fault, httpStatus, retryAfterSec } from '../../api/fault.ts';
import { type Headers, headerPairs } from '../../api/headers.ts';

export type StatusStyle = 'honest' | 'dapr';

export interface HttpRefusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * `{errorCode, message, details}` as Dapr's SDKs read it. The errorCode is the one that they know for a failed
 * call; details.fault is the word from our own list, the same as in the header `invoke-fault`.
 */
export function httpRefusal(refused: Fault, style: StatusStyle, errorCode = 'ERR_DIRECT_INVOKE'): HttpRefusal {
  const body = Buffer.from(
    `${JSON.stringify({ errorCode, message: refused.message, details: { fault: refused.code } })}\n`,
  );
  const retryAfter = retryAfterSec(refused.code);
  return {
    status: style === 'dapr' ? daprHttpStatus(refused.code) : httpStatus(refused.code),
    headers: [
      'content-type',
      'application/json',
      'content-length',
      String(body.length),
      'invoke-fault',
      refused.code,
      ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
      ...(refused.code === 'method-refused' ? ['allow', 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE'] : []),
    ],
    body,
  };
}

/** A whole HTTP/1.1 response, for a connection whose request could not even be parsed. */
export function httpRefusalBytes(refused: Fault, style: StatusStyle): Buffer {
  const { status, headers, body } = httpRefusal(refused, style);
  const fields = headerPairs(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} ${refused.code}\r\n${fields.join('')}connection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}
