// The head of a call as it leaves for a peer.
import type { Headers } from '../../api/headers.ts';
import { HOPS, hopsText } from '../../api/hops.ts';
import { identityHeaders } from '../../api/identity-headers.ts';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { printTimeout } from '../../api/timeout.ts';
import { type GrpcServer, grpcHead } from '../../wire/grpc-call.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { PermittedCall } from '../authorize/authorize.ts';

/** This machine, as the callee's app is told of it in X-Forwarded-For and its kin. */
export interface ForwardedBy {
  readonly address: string;
  readonly hostName: string;
}

/**
 * The identity headers are for a Dapr sidecar, which passes them on. One of ours drops them and says who called from
 * the certificate.
 */
export function requestHead(call: PermittedCall, forwarded: Headers): RequestHeadMessage {
  const { headers, bodyBytes, dataTypeUrl } = call;
  const said = withHops(headers, call.hops);
  const own = bodyBytes === undefined ? said : [...said, 'content-length', String(bodyBytes)];
  const shared = sharedHeaders(forwarded, identityHeaders(call.caller, call.target));
  const head = { verb: call.method, path: call.path, isCanonicalPath: true, query: call.query };
  // What the app said of proxies before us comes first in the same field.
  if (saysForwarded(headers)) return typed({ ...head, headers: [...own, ...shared] }, dataTypeUrl);
  return typed({ ...head, headers: own, sharedHeaders: shared }, dataTypeUrl);
}

/** A call that nothing led to says nothing of that. */
export function withHops(headers: Headers, hops: number): Headers {
  return hops === 1 ? headers : [...headers, HOPS, hopsText(hops)];
}

function typed(head: RequestHeadMessage, dataTypeUrl: string | undefined): RequestHeadMessage {
  return dataTypeUrl === undefined ? head : { ...head, dataTypeUrl };
}

/** One list per target: `identity` is one already. */
const sharedLists = new WeakMap<Headers, Headers>();

function sharedHeaders(forwarded: Headers, identity: Headers): Headers {
  let shared = sharedLists.get(identity);
  if (shared === undefined) {
    shared = [...forwarded, ...identity];
    sharedLists.set(identity, shared);
  }
  return shared;
}

function saysForwarded(headers: Headers): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (name === 'forwarded' || name.startsWith('x-forwarded-')) return true;
  }
  return false;
}

/** Whom the certificate proves is all that counts; but no request of HTTP/2 goes without a name. */
export const TO_PEER: GrpcServer = { scheme: 'https', authority: 'peer' };

export function grpcRequestHead(path: string, leftMs: number | undefined): RequestHead {
  const fields = leftMs === undefined ? GRPC_FIELDS : [...GRPC_FIELDS, 'grpc-timeout', printTimeout(leftMs)];
  return grpcHead(TO_PEER, path, fields);
}

/** One list for all calls, so that its bytes are made once. */
const GRPC_FIELDS: Headers = ['content-type', 'application/grpc', 'te', 'trailers', 'user-agent', 'invoke'];

/** Appended to what the app said itself, as proxies do (RFC 7239). */
export function forwardedHeaders({ address, hostName }: ForwardedBy): Headers {
  const node = address.includes(':') ? `"[${address}]"` : address;
  return [
    'x-forwarded-for',
    address,
    'x-forwarded-host',
    hostName,
    'forwarded',
    `for=${node};by=${node};host=${hostName}`,
  ];
}
