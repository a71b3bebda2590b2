// The head of a native gRPC call, from the app or from a peer: what both edges read alike.
import type { Call } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { grpcPath } from '../../api/grpc-path.ts';
import { grpcEndToEnd, type Headers, headerValue } from '../../api/headers.ts';
import type { Identity, Target } from '../../api/ids.ts';
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
  readonly neverIndexed: RequestHead['neverIndexed'];
}

export const NOT_POSTED = fault('method-refused', 'calls of gRPC are made with POST.');

export function readGrpcHead(head: RequestHead, clock: Clock): Result<GrpcHead, Fault> {
  const { method, target, fields, neverIndexed } = head;
  if (method !== 'POST') return err(NOT_POSTED);
  const path = grpcPath(target);
  if (!path.ok) return path;
  const timeout = headerValue(fields, 'grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return err(fault('bad-request', `grpc-timeout: ${timeoutMs.error}.`));
  return ok({
    path: path.value,
    headers: grpcEndToEnd(fields),
    deadlineMs: timeoutMs === undefined ? undefined : clock.elapsed() + timeoutMs.value,
    neverIndexed,
  });
}

/** The call that a head opens. `headers`: what travels of its metadata, and what this sidecar adds. */
export function grpcCall(head: GrpcHead, caller: Identity, target: Target, headers = head.headers): Call {
  const { path, deadlineMs, neverIndexed } = head;
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
    ...(neverIndexed && { neverIndexed }),
  };
}
