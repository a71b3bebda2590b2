// What a peer's message says, made a Call: nothing in it is believed that could be checked.
import type { PlainCall } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { contentLength, type Headers, headersFromPeer, headerValue } from '../../api/headers.ts';
import { hopsProblem, hopsSaid } from '../../api/hops.ts';
import type { Identity, Target } from '../../api/ids.ts';
import { canonicalPath, encodeDecodedPath } from '../../api/path.ts';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { parseTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface PeerCallContext {
  readonly self: Target;
  readonly caller: Identity;
  readonly clock: Clock;
}

/** A Dapr sidecar passes on what an app called by gRPC without saying how; over InvokeService that is a POST, too. */
const UNNAMED_VERB = 'POST';
const VERB = /^[A-Z][A-Z-]{0,31}$/;
export const TARGET_BYTES_MAX = 64 * 1024;
/** What may stand after the question mark of a request line: no space, no control byte, no fragment. */
export const QUERY = /^[\x21\x22\x24-\x7e\x80-\xff]*$/;

export function readPeerCall(
  head: RequestHeadMessage,
  grpcTimeout: string | undefined,
  context: PeerCallContext,
): Result<PlainCall, Fault> {
  if (head.path.length + head.query.length > TARGET_BYTES_MAX) {
    return err(fault('headers-too-large', 'the path and the query of the call are larger than 64 KiB.'));
  }
  const path = canonicalPath(head.isCanonicalPath ? head.path : encodeDecodedPath(head.path));
  if (!path.ok) return refused(path.error);
  const headers = headersFromPeer(head.headers);
  if (!headers.ok) return refused(headers.error);
  const method = head.verb === '' ? UNNAMED_VERB : head.verb;
  if (!VERB.test(method) || method === 'CONNECT')
    return refused(`${JSON.stringify(head.verb.slice(0, 40))} is not a verb for calls`);
  if (!QUERY.test(head.query)) return refused('the query holds a byte that no query may hold');
  const timeoutMs = grpcTimeout === undefined ? undefined : parseTimeout(grpcTimeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return refused(timeoutMs.error);
  const hops = hopsSaid(head.headers);
  const unreadable = hopsProblem(hops, Number.POSITIVE_INFINITY);
  if (unreadable !== undefined) return err(unreadable);
  const call: PlainCall = {
    kind: 'http',
    target: context.self,
    caller: context.caller,
    method,
    path: path.value,
    query: head.query,
    headers: headers.value,
    bodyBytes: contentLength(head.headers),
    deadlineMs: timeoutMs === undefined ? undefined : context.clock.elapsed() + timeoutMs.value,
    // Its sidecar has counted it, if it is one of ours.
    hops: Math.max(hops, 1),
  };
  const { dataTypeUrl } = head;
  return ok(dataTypeUrl === undefined ? call : { ...call, dataTypeUrl, headers: typed(call.headers) });
}

/** An app that speaks HTTP knows a body that has a type by this; as over InvokeService. */
function typed(headers: Headers): Headers {
  const isNamed = headerValue(headers, 'content-type') !== undefined;
  return isNamed ? headers : ['content-type', 'application/x-protobuf', ...headers];
}

function refused(reason: string): { readonly ok: false; readonly error: Fault } {
  return err(fault('bad-request', `the peer's call was refused: ${reason}.`));
}
