// For tests: plans that say one thing, and are as built in otherwise; and a generator of chance that repeats itself.
import type { AppId, Namespace, Target } from '../../../api/ids.ts';
import { readResiliency } from '../../../api/resources/resiliency.ts';
import type { Random } from '../../../kit/backoff.ts';
import { must } from '../../../kit/result.ts';
import { matchingOf } from '../codes.ts';
import { BUILT_IN_ROUTE, type RetryPlan, type RoutePlan } from '../plan.ts';
import type { PlacedResiliency } from '../settle.ts';

export function routePlan(plan: Partial<RoutePlan>): RoutePlan {
  return { ...BUILT_IN_ROUTE, ...plan };
}

export function retryPlan(plan: Partial<RetryPlan> = {}): RetryPlan {
  return {
    backoff: 'constant',
    durationMs: 5000,
    maxIntervalMs: 60_000,
    maxRetries: 3,
    jitter: 'none',
    matching: matchingOf(undefined),
    ...plan,
  };
}

export function resiliency(name: string, spec: object, createdMs = 0): PlacedResiliency {
  return { namespace: 'front', name, createdMs, spec: must(readResiliency(spec)) };
}

/** Names that a test writes are names. */
export function target(app: string, namespace = 'front'): Target {
  return { app: app as AppId, namespace: namespace as Namespace };
}

/** The same numbers for the same seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
