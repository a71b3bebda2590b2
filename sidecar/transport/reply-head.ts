// The head of a peer's reply, checked before anything is made from it.
import type { GrpcOutcome, ReplyHead } from '../../api/exchange.ts';
import { httpStatusOfGrpc, knownGrpcStatus } from '../../api/grpc-status.ts';
import { contentLength, headersFromPeer } from '../../api/headers.ts';
import { HTTP_STATUS_MIN, type ReplyHeadMessage } from '../../api/proto/peer.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export function readReplyHead(message: ReplyHeadMessage): Result<ReplyHead> {
  const { status, headers, dataTypeUrl } = message;
  if (status >= HTTP_STATUS_MIN && (status < 200 || status > 599))
    return err(`the answer has the status ${status}, which no HTTP answer has`);
  const travelling = headersFromPeer(headers);
  if (!travelling.ok) return err(`the answer cannot be passed on: ${travelling.error}`);
  const head = { status, headers: travelling.value, bodyBytes: contentLength(headers) };
  if (status >= HTTP_STATUS_MIN && dataTypeUrl === undefined) return ok(head);
  const typed = { ...head, ...(dataTypeUrl !== undefined && { dataTypeUrl }) };
  if (status >= HTTP_STATUS_MIN) return ok(typed);
  if (status === GRPC_OK) return ok({ ...typed, status: 200 });
  const grpc = outcomeOf(message);
  return ok({ ...typed, status: httpStatusOfGrpc(grpc.code), bodyBytes: 0, grpc });
}

const GRPC_OK = 0;
const GRPC_UNKNOWN = 2;

function outcomeOf({ status, message = '', details = [] }: ReplyHeadMessage): GrpcOutcome {
  return { code: knownGrpcStatus(String(status)) ?? GRPC_UNKNOWN, message, details };
}
