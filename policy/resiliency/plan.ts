// What holds for calls to one app, once all Resiliency objects have been read: numbers in place of names, every default filled
// in. A plan is immutable and made when the objects change, never for a call.
import type { Trip } from '../../api/trip.ts';
import type { Counting, Matching } from './codes.ts';

export interface TargetPlan {
  readonly balancing: BalancingPlan;
  readonly ejection: EjectionPlan;
  readonly budget: BudgetPlan;
  readonly builtIn: BuiltInPlan;
  readonly limit: LimitPlan | undefined;
  readonly routes: Routes;
}

/** Which operation goes by what. */
export interface Routes {
  of(call: RoutedCall): RoutePlan;
}

export interface RoutedCall {
  readonly kind: 'http' | 'grpc' | 'tunnel' | 'external';
  readonly method: string;
  readonly path: string;
}

export interface RoutePlan {
  /** Undefined: the call is on no route. */
  readonly name: string | undefined;
  readonly tryTimeoutMs: number | undefined;
  readonly totalTimeoutMs: number | undefined;
  readonly retry: RetryPlan | undefined;
  readonly breaker: BreakerPlan | undefined;
  readonly hedging: HedgingPlan | undefined;
  /** Undefined: the method says (`isIdempotent`). */
  readonly idempotent: boolean | undefined;
}

export interface RetryPlan {
  readonly backoff: 'constant' | 'exponential';
  readonly durationMs: number;
  readonly maxIntervalMs: number;
  /** Infinity where nobody set an end. */
  readonly maxRetries: number;
  readonly jitter: 'full' | 'none';
  readonly matching: Matching;
}

export interface BreakerPlan {
  /** How many calls probe at once, and have to succeed in a row. */
  readonly maxRequests: number;
  /** 0: the counts of a closed breaker never begin anew. */
  readonly intervalMs: number;
  readonly openMs: number;
  readonly trip: Trip | undefined;
  readonly ratio: RatioPlan | undefined;
  readonly counting: Counting;
  /** For how many operations outside of routes a breaker is kept. */
  readonly operationsMax: number;
}

export interface RatioPlan {
  readonly percent: number;
  readonly windowMs: number;
  readonly minRequests: number;
}

export interface HedgingPlan {
  readonly delayMs: number;
  readonly maxExtra: number;
}

export type BalancingPlan = {
  readonly slowStartMs: number;
  readonly zone: 'prefer' | 'ignore';
  /** Empty: all instances are alike. */
  readonly subsets: readonly SubsetPlan[];
} & (
  | { readonly algorithm: 'peak-ewma' | 'least-request' | 'round-robin' | 'random' }
  | { readonly algorithm: 'consistent-hash'; readonly hashHeader: string }
);

export interface SubsetPlan {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly weight: number;
}

export interface EjectionPlan {
  readonly enabled: boolean;
  readonly consecutiveFailures: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly maxPercent: number;
}

export interface BudgetPlan {
  readonly percent: number;
  readonly minPerSecond: number;
}

export interface BuiltInPlan {
  readonly undelivered: boolean;
  readonly idempotent: boolean;
}

export interface LimitPlan {
  readonly maxInFlight: number;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
}

export const BUILT_IN_ROUTE: RoutePlan = {
  name: undefined,
  tryTimeoutMs: undefined,
  totalTimeoutMs: undefined,
  retry: undefined,
  breaker: undefined,
  hedging: undefined,
  idempotent: undefined,
};

/** Where nobody asked for anything else. The schema's defaults say the same; a test holds the two to each other. */
export const BUILT_IN: TargetPlan = {
  balancing: { algorithm: 'peak-ewma', slowStartMs: 0, zone: 'prefer', subsets: [] },
  ejection: { enabled: true, consecutiveFailures: 5, baseMs: 10_000, maxMs: 300_000, maxPercent: 50 },
  budget: { percent: 20, minPerSecond: 1 },
  builtIn: { undelivered: true, idempotent: true },
  limit: undefined,
  routes: { of: () => BUILT_IN_ROUTE },
};
