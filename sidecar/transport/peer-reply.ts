// The head of a peer's reply, checked before anything is made from it.
import type { ReplyHead } from '../../api/exchange.ts';
import { checkedHeaders, contentLength, endToEnd } from '../../api/headers.ts';
import type { ReplyHeadMessage } from '../../api/proto/peer.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export function readReplyHead({ status, headers }: ReplyHeadMessage): Result<ReplyHead> {
  if (status < 200 || status > 599) return err(`the answer has the status ${status}, which no HTTP answer has`);
  const checked = checkedHeaders(headers);
  if (!checked.ok) return err(`the answer cannot be passed on: ${checked.error}`);
  return ok({ status, headers: endToEnd(checked.value), bodyBytes: contentLength(checked.value) });
}
