// May a call be tried again after what its last try came to; and if so, when, and where?
//
//   R1. What provably reached no app may be sent again whatever its method: at once, and elsewhere if it was the endpoint that
//       could not take it. So it goes up to five tries in all.
//   R2. What an app may have seen is sent again without a policy only if doing it twice does no harm, and once at that.
//   R3. A policy that somebody named decides beyond that, for every method, as in Dapr; but never against `idempotent: false`.
//   R4. An answer that has begun, or a body that was not kept, ends it all: whoever calls this asks only before that.
//   R5. Every retry is paid for by the target's budget, which the caller of this asks last, when all else says yes.
import { mayBeSentAgain } from '../../api/fault.ts';
import type { Random } from '../../kit/backoff.ts';
import { means, type Outcome } from './codes.ts';
import type { BuiltInPlan, RetryPlan, RoutePlan } from './plan.ts';

/** However many endpoints there are, a call that nobody can take comes back soon. */
export const TRIES_MAX = 5;

export type Again =
  | { readonly kind: 'no' }
  /** `by`: what it counts as, in `Tried`, when it is done. */
  | {
      readonly kind: 'again';
      readonly by: keyof Tried;
      readonly afterMs: number;
      readonly where: 'elsewhere' | 'anywhere';
    };

/** How often a call was tried again so far, by what allowed it. */
export interface Tried {
  readonly undelivered: number;
  readonly idempotent: number;
  readonly policy: number;
}

export const NEVER_TRIED: Tried = { undelivered: 0, idempotent: 0, policy: 0 };
const NO: Again = { kind: 'no' };

export interface RetriedCall {
  readonly kind: 'http' | 'grpc' | 'tunnel' | 'external';
  readonly method: string;
}

export interface RetryRules {
  readonly route: RoutePlan;
  readonly builtIn: BuiltInPlan;
  readonly random: Random;
}

export function again(call: RetriedCall, outcome: Outcome, tried: Tried, rules: RetryRules): Again {
  const { route, builtIn, random } = rules;
  const resent = outcome.kind === 'fault' ? mayBeSentAgain(outcome.code) : 'never';
  // Every call begins with a try of its own.
  if (resent !== 'never' && builtIn.undelivered && tried.undelivered + 1 < TRIES_MAX)
    return { kind: 'again', by: 'undelivered', afterMs: 0, where: resent };
  if (isBroken(outcome) && builtIn.idempotent && tried.idempotent === 0 && isIdempotent(call, route))
    return { kind: 'again', by: 'idempotent', afterMs: 0, where: 'elsewhere' };
  const { retry } = route;
  if (retry === undefined || (route.idempotent === false && resent === 'never')) return NO;
  // A tunnel carries no answer that could be compared, once it is open.
  const protocol = call.kind === 'grpc' ? 'grpc' : 'http';
  if (tried.policy >= retry.maxRetries || !means(retry.matching, outcome, protocol)) return NO;
  const asked = outcome.kind === 'try-timeout' ? undefined : outcome.retryAfterMs;
  return { kind: 'again', by: 'policy', afterMs: pauseMs(retry, tried.policy + 1, random, asked), where: 'elsewhere' };
}

/**
 * Broken before its answer, and the app may have seen it. One that took too long is none: more of the same is the last thing
 * that slow instances need, unless somebody asks for it.
 */
function isBroken(outcome: Outcome): boolean {
  return outcome.kind === 'fault' && BROKEN.includes(outcome.code);
}

const BROKEN: readonly string[] = ['peer-broke', 'app-broke'];
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Whether doing it twice does no more than doing it once. Of gRPC only a route can say so: every call of it is a POST. */
export function isIdempotent({ kind, method }: RetriedCall, { idempotent }: RoutePlan): boolean {
  if (kind === 'tunnel' || kind === 'external') return false;
  return idempotent ?? (kind === 'http' && IDEMPOTENT_METHODS.has(method));
}

/** The first pause of an exponential retry, and how each next one grows; as in Dapr. */
const FIRST_PAUSE_MS = 500;
const GROWTH = 1.5;

/** Before retry `number`, from 1. What the app asked for is waited for if the policy would wait as long at all. */
export function pauseMs(retry: RetryPlan, number: number, random: Random, askedMs = 0): number {
  const longestMs = retry.backoff === 'constant' ? retry.durationMs : stepMs(retry, number);
  const drawnMs = retry.jitter === 'full' ? longestMs * random() : longestMs;
  const capMs = retry.backoff === 'constant' ? retry.durationMs : retry.maxIntervalMs;
  return Math.max(drawnMs, Math.min(askedMs, capMs));
}

function stepMs({ maxIntervalMs }: RetryPlan, number: number): number {
  // Beyond some steps the power is past any interval, and past numbers soon after.
  return Math.min(maxIntervalMs, FIRST_PAUSE_MS * GROWTH ** Math.min(number - 1, 60));
}

/** By when a call has to be done, on the monotonic clock: what the caller gave, or the plan, whichever is sooner. */
export function deadlineOf(
  { totalTimeoutMs }: RoutePlan,
  nowMs: number,
  callersMs: number | undefined,
): number | undefined {
  if (totalTimeoutMs === undefined) return callersMs;
  return Math.min(nowMs + totalTimeoutMs, callersMs ?? Number.POSITIVE_INFINITY);
}
