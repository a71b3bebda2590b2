// The head of a peer's reply, checked before anything is made from it.
import type { ReplyHead } from '../../api/exchange.ts';
import { contentLength, headersFromPeer } from '../../api/headers.ts';
import type { ReplyHeadMessage } from '../../api/proto/peer.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export function readReplyHead({ status, headers }: ReplyHeadMessage): Result<ReplyHead> {
  if (status < 200 || status > 599) return err(`the answer has the status ${status}, which no HTTP answer has`);
  const travelling = headersFromPeer(headers);
  if (!travelling.ok) return err(`the answer cannot be passed on: ${travelling.error}`);
  return ok({ status, headers: travelling.value, bodyBytes: contentLength(headers) });
}
