// The part of the feed that sidecars tell: what policies in audit mode would have denied.
import { ok, type Result } from '../../kit/result.ts';
import { lastNumber, lastUtf8, type ProtoField, type ProtoWriter } from './protobuf.ts';

/** In one message. What is beyond is not read. */
export const FEED_AUDITS_MAX = 64;
/** An operation is cut off there before it is sent. */
export const FEED_OPERATION_CHARACTERS_MAX = 256;

/** Calls that were let in, and that one policy would have denied by one of its rules or by its default. */
export interface AuditDenials {
  /** Its name; its namespace is that of the sidecar. */
  readonly policy: string;
  readonly generation: number;
  /** As logs and metrics name it. */
  readonly deniedBy: string;
  readonly count: number;
  /** How long ago the last of them came. */
  readonly ageMs: number;
  /** Of one of them: a SPIFFE ID. */
  readonly caller: string;
  /** Of the same one: `GET /orders/7`. */
  readonly operation: string;
}

export function writeAuditDenials(writer: ProtoWriter, denials: AuditDenials): void {
  writer.utf8(1, denials.policy);
  writer.uint(2, denials.generation);
  writer.utf8(3, denials.deniedBy);
  writer.uint(4, denials.count);
  writer.uint(5, denials.ageMs);
  writer.utf8(6, denials.caller);
  writer.utf8(7, denials.operation);
}

export function readAuditDenials(fields: readonly ProtoField[]): Result<AuditDenials> {
  return ok({
    policy: lastUtf8(fields, 1),
    generation: lastNumber(fields, 2),
    deniedBy: lastUtf8(fields, 3),
    count: lastNumber(fields, 4),
    ageMs: lastNumber(fields, 5),
    caller: lastUtf8(fields, 6),
    operation: lastUtf8(fields, 7),
  });
}
