// The one place where a fault becomes an HTTP response. (For a peer it becomes gRPC trailers: api/grpc-status.ts.)
import { daprHttpStatus, type Fault, httpStatus, retryAfterSec } from '../../api/fault.ts';
import type { Refusal } from '../../wire/message.ts';

export type StatusStyle = 'honest' | 'dapr';

/**
 * `{errorCode, message, details}` as Dapr's SDKs read it. The errorCode is the one that they know for a failed
 * call; details.fault is the word from our own list, the same as in the header `invoke-fault`.
 */
export function httpRefusal(refused: Fault, style: StatusStyle, errorCode = 'ERR_DIRECT_INVOKE'): Refusal {
  const body = Buffer.from(
    `${JSON.stringify({ errorCode, message: refused.message, details: { fault: refused.code } })}\n`,
  );
  const status = style === 'dapr' ? daprHttpStatus(refused.code) : httpStatus(refused.code);
  const fields = ['content-type', 'application/json', 'invoke-fault', refused.code];
  const retryAfter = refused.retryAfterSec ?? retryAfterSec(refused.code);
  if (retryAfter !== undefined) fields.push('retry-after', String(retryAfter));
  if (refused.code === 'method-refused') fields.push('allow', 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE');
  return { head: { status, fields, bodyBytes: body.length }, body };
}
