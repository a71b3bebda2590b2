// What an answer came to, read from its head or its trailers. Most outcomes are one of a few, and each of those is one object.
import type { ReplyHead } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { knownGrpcStatus } from '../../api/grpc-status.ts';
import { type Headers, headerValue } from '../../api/headers.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';

type Answer = Extract<Outcome, { kind: 'answer' }>;

const ANSWERS: Readonly<Record<Answer['protocol'], Answer[]>> = { http: [], grpc: [] };
const STATUSES_MAX = 1000;

function answer(protocol: Answer['protocol'], status: number): Answer {
  const known = ANSWERS[protocol][status];
  if (known !== undefined) return known;
  const fresh: Answer = { kind: 'answer', protocol, status };
  if (status < STATUSES_MAX) ANSWERS[protocol][status] = fresh;
  return fresh;
}

/** It sends messages: no call that failed as a whole does that. */
export const GRPC_GOES_WELL: Outcome = answer('grpc', 0);
/** UNKNOWN. */
export const GRPC_SAYS_NOTHING: Outcome = answer('grpc', 2);

/** Of an answer that has its status in these headers, be they of its head or its trailers. */
export function grpcOutcome(headers: Headers): Outcome | undefined {
  const status = knownGrpcStatus(headerValue(headers, 'grpc-status'));
  return status === undefined ? undefined : answer('grpc', status);
}

/** Of an answer over HTTP. An app that was called by gRPC has a status of its own. */
export function httpOutcome({ status, headers, grpc }: ReplyHead, { retry }: RoutePlan): Outcome {
  if (grpc !== undefined) return answer('grpc', grpc.code);
  // When to come back matters to those alone who would.
  const retryAfterMs = retry === undefined || status < 400 ? undefined : askedMs(headerValue(headers, 'retry-after'));
  return retryAfterMs === undefined
    ? answer('http', status)
    : { kind: 'answer', protocol: 'http', status, retryAfterMs };
}

/** Of a try that a fault of ours ended, here or in the other sidecar. */
export function faultOutcome({ code, retryAfterSec }: Fault): Outcome {
  return retryAfterSec === undefined
    ? { kind: 'fault', code }
    : { kind: 'fault', code, retryAfterMs: retryAfterSec * 1000 };
}

/** Dates are left aside: whose clock would they go by? */
function askedMs(retryAfter: string | undefined): number | undefined {
  return retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
}
