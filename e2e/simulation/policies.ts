// Ways to call that are compared: what Invoke does without being told, and what people do otherwise.
import { matchingOf } from '../../policy/resiliency/codes.ts';
import { BUILT_IN, BUILT_IN_ROUTE, type RetryPlan, type TargetPlan } from '../../policy/resiliency/plan.ts';

const ROUND_ROBIN = { ...BUILT_IN.balancing, algorithm: 'round-robin' } as const;

/** As often as it takes, with hardly a pause. */
const EAGER: RetryPlan = {
  backoff: 'constant',
  durationMs: 1,
  maxIntervalMs: 1,
  maxRetries: 3,
  jitter: 'none',
  matching: matchingOf(undefined),
};

/** A budget that nobody reaches. */
const NO_BUDGET = { percent: 1_000_000, minPerSecond: 1000 };

export const POLICIES = {
  'built in': () => BUILT_IN,
  'round robin, else built in': () => ({ ...BUILT_IN, balancing: ROUND_ROBIN }),
  'built in, and 3 eager retries': () => ({ ...BUILT_IN, routes: retrying(EAGER) }),
  'round robin, nothing else': () => ({
    ...BUILT_IN,
    balancing: ROUND_ROBIN,
    ejection: { ...BUILT_IN.ejection, enabled: false },
    builtIn: { undelivered: false, idempotent: false },
  }),
  'round robin, 3 eager retries, no budget': () => ({
    ...BUILT_IN,
    balancing: ROUND_ROBIN,
    ejection: { ...BUILT_IN.ejection, enabled: false },
    builtIn: { undelivered: false, idempotent: false },
    budget: NO_BUDGET,
    routes: retrying(EAGER),
  }),
} as const satisfies Record<string, () => TargetPlan>;

export type PolicyName = keyof typeof POLICIES;

function retrying(retry: RetryPlan): TargetPlan['routes'] {
  const route = { ...BUILT_IN_ROUTE, retry };
  return { of: () => route };
}

export function withTryTimeout(plan: TargetPlan, tryTimeoutMs: number | undefined): TargetPlan {
  if (tryTimeoutMs === undefined) return plan;
  const route = { ...plan.routes.of({ kind: 'http', method: 'GET', path: '/' }), tryTimeoutMs };
  return { ...plan, routes: { of: () => route } };
}
