// For tests: one call after the other on a connection of ours.
import type { RequestHead } from '../../message.ts';
import type { Http1ClientConnection } from '../client.ts';
import { ReceivedResponse, requestHead } from './drive.ts';

/** Resolves with what came of it. Of a body that is longer than what is given, the rest is never sent. */
export function send(
  client: Http1ClientConnection,
  head: Partial<RequestHead>,
  body: Buffer = Buffer.alloc(0),
  trailers: readonly string[] = [],
): Promise<ReceivedResponse> {
  const answer = new ReceivedResponse();
  const { promise, resolve } = Promise.withResolvers<ReceivedResponse>();
  const { end, abort } = { end: answer.end.bind(answer), abort: answer.abort.bind(answer) };
  answer.end = (given) => {
    end(given);
    resolve(answer);
  };
  answer.abort = (failure) => {
    abort(failure);
    resolve(answer);
  };
  const requester = client.request(requestHead(head), answer);
  requester.data(body);
  const isWhole = (head.bodyBytes ?? 0) <= body.length;
  if (isWhole) requester.end(trailers);
  return promise;
}
