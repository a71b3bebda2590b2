// The head of a native gRPC call, from the app or from a peer: what both edges read alike.
import type { ExternalCall, PlainCall } from '../../api/call.ts';
import type { ExternalTarget } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { grpcPath } from '../../api/grpc-path.ts';
import { grpcEndToEnd, type Headers, headerValue } from '../../api/headers.ts';
import { hopsProblem, hopsSaid } from '../../api/hops.ts';
import type { Identity } from '../../api/ids.ts';
import type { CanonicalPath } from '../../api/path.ts';
import { parseTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { RequestHead } from '../../wire/message.ts';

export interface GrpcHead {
  readonly path: CanonicalPath;
  /** What travels of its metadata. */
  readonly headers: Headers;
  readonly deadlineMs: number | undefined;
  readonly hops: number;
  readonly neverIndexed: RequestHead['neverIndexed'];
}

export const NOT_POSTED = fault('method-refused', 'calls of gRPC are made with POST.');

/** `hopsMax`: undefined of a peer, which has counted the call. */
export function readGrpcHead(head: RequestHead, clock: Clock, hopsMax?: number): Result<GrpcHead, Fault> {
  const { method, target, fields, neverIndexed } = head;
  if (method !== 'POST') return err(NOT_POSTED);
  const path = grpcPath(target);
  if (!path.ok) return path;
  const timeout = headerValue(fields, 'grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return err(fault('bad-request', `grpc-timeout: ${timeoutMs.error}.`));
  const before = hopsSaid(fields);
  const problem = hopsProblem(before, hopsMax ?? Number.POSITIVE_INFINITY);
  if (problem !== undefined) return err(problem);
  return ok({
    path: path.value,
    headers: grpcEndToEnd(fields),
    deadlineMs: timeoutMs === undefined ? undefined : clock.elapsed() + timeoutMs.value,
    hops: hopsMax === undefined ? Math.max(before, 1) : before + 1,
    neverIndexed,
  });
}

type GrpcCall<T> = Omit<PlainCall, 'target'> & { readonly target: T };

/** The call that a head opens. `headers`: what travels of its metadata, and what this sidecar adds. */
export function grpcCall<T>(head: GrpcHead, caller: Identity, target: T, headers = head.headers): GrpcCall<T> {
  const { path, deadlineMs, hops, neverIndexed } = head;
  return {
    kind: 'grpc',
    target,
    caller,
    method: 'POST',
    path,
    query: '',
    headers,
    bodyBytes: undefined,
    deadlineMs,
    hops,
    ...(neverIndexed && { neverIndexed }),
  };
}

/** The same, to what has no sidecar. */
export function externalGrpcCall(
  head: GrpcHead,
  caller: Identity,
  target: ExternalTarget,
  headers: Headers,
): ExternalCall {
  return { ...grpcCall(head, caller, target, headers), kind: 'external', isGrpc: true };
}
