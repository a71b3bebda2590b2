// InvokeService's one message, made a Call: an ordinary call over HTTP, as if the app had made it on the HTTP port.
import type { OutboundCall } from '../../api/call.ts';
import { type Endpoints, isExternal, parseCallee } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { checkedHeaders, endToEnd, type Headers, headerValue } from '../../api/headers.ts';
import { hopsProblem, hopsSaid } from '../../api/hops.ts';
import type { Identity } from '../../api/ids.ts';
import { type CanonicalPath, canonicalPath, encodeDecodedPath } from '../../api/path.ts';
import { VERBS } from '../../api/proto/peer.ts';
import { decodeInvokeServiceRequest, type InvokeRequest } from '../../api/proto/runtime.ts';
import { parseTimeout } from '../../api/timeout.ts';
import { traced } from '../../api/trace.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import { unreadableMessage } from './grpc-methods.ts';
import { requestTooLarge } from './malformed.ts';
import { QUERY, TARGET_BYTES_MAX } from './peer-call.ts';

export interface InvokeCallDeps {
  readonly self: Identity;
  /** What callers may name beside apps. */
  readonly outside: Snapshot<{ readonly endpoints: Endpoints }>;
  readonly bodyBytesMax: number;
  readonly hopsMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface InvokeCall {
  readonly call: OutboundCall;
  readonly body: Buffer;
}

const NO_ID = fault('no-target', 'the message names no app; write its id in the field id, as app or app.namespace.');

export function readInvokeCall(message: Buffer, metadata: Headers, deps: InvokeCallDeps): Result<InvokeCall, Fault> {
  const request = decodeInvokeServiceRequest(message);
  if (!request.ok) return err(unreadableMessage(request.error));
  const { id, message: invoked } = request.value;
  if (id === '') return err(NO_ID);
  const target = parseCallee(id, deps.self.namespace, deps.outside.current().endpoints);
  if (!target.ok) return refused(target.error);
  const path = readPath(invoked);
  if (!path.ok) return path;
  const verb = readVerb(invoked.verb);
  if (!verb.ok) return verb;
  const headers = readHeaders(invoked, metadata);
  if (!headers.ok) return headers;
  const timeout = headerValue(metadata, 'grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return refused(`grpc-timeout: ${timeoutMs.error}`);
  const hops = hopsSaid(metadata);
  const tooLong = hopsProblem(hops, deps.hopsMax);
  if (tooLong !== undefined) return err(tooLong);
  const { body, dataTypeUrl, query } = invoked;
  if (body.length > deps.bodyBytesMax) return err(requestTooLarge(deps.bodyBytesMax));
  const call = {
    caller: deps.self,
    method: verb.value,
    path: path.value,
    query,
    headers: traced(headers.value, deps.random),
    bodyBytes: body.length,
    deadlineMs: timeoutMs === undefined ? undefined : deps.clock.elapsed() + timeoutMs.value,
    hops: hops + 1,
    ...(dataTypeUrl !== '' && { dataTypeUrl }),
  };
  const callee = target.value;
  if (isExternal(callee)) return ok({ call: { ...call, kind: 'external', isGrpc: false, target: callee }, body });
  return ok({ call: { ...call, kind: 'http', target: callee }, body });
}

/** A method is text and no part of a URL: a percent sign in it is a percent sign, and a query has a field of its own. */
function readPath({ method, query }: InvokeRequest): Result<CanonicalPath, Fault> {
  if (/[?#]/.test(method))
    return refused('the method holds "?" or "#"; write the query in http_extension.querystring, and no fragment');
  if (method.length + query.length > TARGET_BYTES_MAX)
    return err(fault('headers-too-large', 'the method and the query of the call are larger than 64 KiB.'));
  if (!QUERY.test(query)) return refused('the query holds a character that no URL holds as it is; percent-encode it');
  const path = canonicalPath(encodeDecodedPath(method));
  return path.ok ? path : refused(`${path.error}; nothing was called`);
}

/** POST unless another is said. */
function readVerb(number: number): Result<string, Fault> {
  const verb = number === 0 ? 'POST' : VERBS[number];
  if (verb === undefined) return refused(`http_extension.verb is ${number}, which is none`);
  if (verb === 'CONNECT') return err(fault('method-refused', 'CONNECT is not for calls; use any other verb.'));
  return ok(verb);
}

/** What of the metadata is not about this gRPC call itself, and the type of the data. */
function readHeaders({ contentType, dataTypeUrl }: InvokeRequest, metadata: Headers): Result<Headers, Fault> {
  const type = contentType === '' && dataTypeUrl !== '' ? 'application/x-protobuf' : contentType;
  const typed = checkedHeaders(type === '' ? [] : ['content-type', type]);
  if (!typed.ok) return refused(typed.error);
  const travelling = endToEnd(metadata);
  const headers = [...typed.value];
  for (let i = 0; i + 1 < travelling.length; i += 2) {
    const name = travelling[i] ?? '';
    if (name !== 'content-type' && !name.startsWith('grpc-')) headers.push(name, travelling[i + 1] ?? '');
  }
  return ok(headers);
}

function refused(reason: string): { readonly ok: false; readonly error: Fault } {
  return err(fault('bad-request', `${reason}.`));
}
