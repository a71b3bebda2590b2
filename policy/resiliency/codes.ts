// Lists of statuses as people write them, such as "429,500-599", made ready to be asked.
import type { FaultCode } from '../../api/fault.ts';
import { grpcStatus, httpStatus } from '../../api/fault.ts';

export interface StatusSet {
  has(status: number): boolean;
}

/** What can be asked for: HTTP's statuses end at 599, and those of gRPC at 16. */
const STATUS_MAX = 600;

/** What is no number is left aside; the resource's schema has refused it before. */
export function statusSet(text: string): StatusSet {
  const flags = new Uint8Array(STATUS_MAX);
  for (const part of text.split(',')) {
    const [from = '', to = from] = part.trim().split('-');
    const last = Math.min(Number(to), STATUS_MAX - 1);
    for (let status = Number(from); status <= last; status++) flags[status] = 1;
  }
  return { has: (status) => flags[status] === 1 };
}

/** What one try came to: an answer of the app with its status, a fault of ours, or nothing within the time of a try. */
export type Outcome =
  | {
      readonly kind: 'answer';
      readonly protocol: 'http' | 'grpc';
      readonly status: number;
      readonly retryAfterMs?: number;
    }
  | { readonly kind: 'fault'; readonly code: FaultCode; readonly retryAfterMs?: number }
  | { readonly kind: 'try-timeout' };

/** Which answers are meant. */
export interface Matching {
  readonly http: StatusSet;
  readonly grpc: StatusSet;
}

const ALL_ERRORS: Matching = { http: statusSet('400-599'), grpc: statusSet('1-16') };
/** Of gRPC: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const SERVERS_FAILURES: Matching = { http: statusSet('500-599'), grpc: statusSet('2,4,8,13-15') };

interface WrittenMatching {
  readonly httpStatusCodes?: string | undefined;
  readonly gRPCStatusCodes?: string | undefined;
}

/** As in Dapr, what is left out means every error. */
export function matchingOf(written: WrittenMatching | undefined): Matching {
  const { httpStatusCodes, gRPCStatusCodes } = written ?? {};
  return {
    http: httpStatusCodes === undefined ? ALL_ERRORS.http : statusSet(httpStatusCodes),
    grpc: gRPCStatusCodes === undefined ? ALL_ERRORS.grpc : statusSet(gRPCStatusCodes),
  };
}

/** Whose fault an error has to be, to count: anybody's, as in Dapr, or the server's. */
export type Counting = 'every-error' | 'servers-failures';

/**
 * What a try says of the one that was called. `unknown`: nothing, since the caller went away, or asked for what nobody
 * could have answered.
 */
export type Health = 'success' | 'failure' | 'unknown';

export function healthOf(outcome: Outcome, counting: Counting): Health {
  switch (outcome.kind) {
    case 'answer': {
      const errors = counting === 'every-error' ? ALL_ERRORS : SERVERS_FAILURES;
      return errors[outcome.protocol].has(outcome.status) ? 'failure' : 'success';
    }
    case 'try-timeout':
      return 'failure';
    case 'fault':
      return isOfTheWay(outcome.code) ? 'failure' : 'unknown';
  }
}

/** Whether the list means this outcome. A fault is looked for by the status that the caller would see. */
export function means(matching: Matching, outcome: Outcome, protocol: 'http' | 'grpc'): boolean {
  switch (outcome.kind) {
    case 'answer':
      return matching[outcome.protocol].has(outcome.status);
    case 'try-timeout':
      return matching[protocol].has(protocol === 'http' ? httpStatus('timeout') : grpcStatus('timeout'));
    case 'fault': {
      const status = protocol === 'http' ? httpStatus(outcome.code) : grpcStatus(outcome.code);
      return mayHeal(outcome.code) && matching[protocol].has(status);
    }
  }
}

/** Whoever is refused is refused again, but for those who came too often: they may come later. */
function mayHeal(code: FaultCode): boolean {
  return isOfTheWay(code) || code === 'rate-limited';
}

/** Faults that may be gone the next time: 502, 503, 504. */
export function isOfTheWay(code: FaultCode): boolean {
  return httpStatus(code) >= 502 && httpStatus(code) <= 504;
}
