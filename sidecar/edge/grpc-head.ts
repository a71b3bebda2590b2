// The head of a native gRPC call, from the app or from a peer: what both edges read alike.
import { type Fault, fault } from '../../api/fault.ts';
import { grpcPath } from '../../api/grpc-path.ts';
import { grpcEndToEnd, type Headers, headerValue } from '../../api/headers.ts';
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
}

export function readGrpcHead({ method, target, fields }: RequestHead, clock: Clock): Result<GrpcHead, Fault> {
  if (method !== 'POST') return err(fault('method-refused', 'calls of gRPC are made with POST.'));
  const path = grpcPath(target);
  if (!path.ok) return path;
  const timeout = headerValue(fields, 'grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return err(fault('bad-request', `grpc-timeout: ${timeoutMs.error}.`));
  return ok({
    path: path.value,
    headers: grpcEndToEnd(fields),
    deadlineMs: timeoutMs === undefined ? undefined : clock.elapsed() + timeoutMs.value,
  });
}
