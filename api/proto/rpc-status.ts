// google.rpc.Status, in which gRPC says more of a failure than a code and a sentence (`grpc-status-details-bin`), and two
// details: google.rpc.ErrorInfo, which Dapr's SDKs read, and google.rpc.RetryInfo.
import { err, ok, type Result } from '../../kit/result.ts';
import type { GrpcOutcome } from '../exchange.ts';
import { allBytes, lastBytes, lastNumber, lastUtf8, ProtoWriter, readFields } from './protobuf.ts';

export function encodeRpcStatus({ code, message, details }: GrpcOutcome): Buffer {
  const writer = new ProtoWriter();
  writer.uint(1, code);
  writer.utf8(2, message);
  for (const detail of details) writer.bytes(3, detail);
  return writer.finish();
}

/** More than anybody sends; each costs many times its few bytes. */
export const DETAILS_MAX = 64;

export function decodeRpcStatus(bytes: Buffer): Result<GrpcOutcome> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const details = allBytes(fields.value, 3);
  if (details.length > DETAILS_MAX) return err(`a status has more than ${DETAILS_MAX} details`);
  return ok({ code: lastNumber(fields.value, 1), message: lastUtf8(fields.value, 2), details });
}

/** google.protobuf.Any. */
export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Buffer;
}

export function decodeAny(bytes: Buffer): Result<AnyMessage> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  return ok({ typeUrl: lastUtf8(fields.value, 1), value: lastBytes(fields.value, 2) ?? Buffer.alloc(0) });
}

/** What failed, for programs: a reason that is unique within its domain. */
export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** As a detail of a status: a google.protobuf.Any, in bytes. */
export function encodeErrorInfo({ reason, domain, metadata }: ErrorInfo): Buffer {
  const writer = new ProtoWriter();
  writer.utf8(1, 'type.googleapis.com/google.rpc.ErrorInfo');
  writer.message(2, (info) => {
    info.utf8(1, reason);
    info.utf8(2, domain);
    for (const [key, value] of Object.entries(metadata)) {
      info.message(3, (entry) => {
        entry.utf8(1, key);
        entry.utf8(2, value);
      });
    }
  });
  return writer.finish();
}

/** When to come back, as a detail of a status. */
export function encodeRetryInfo(afterSec: number): Buffer {
  const writer = new ProtoWriter();
  writer.utf8(1, 'type.googleapis.com/google.rpc.RetryInfo');
  writer.message(2, (info) => info.message(1, (duration) => duration.uint(1, afterSec)));
  return writer.finish();
}
