// What is told of a target as it happens, so that it can be counted and written down. Of a plain call one thing is told, that it
// was tried; all else is rare.
import type { Instance } from './pick/member.ts';
import type { RoutePlan } from './plan.ts';
import type { Tried } from './retry.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export type BreakerChange =
  | { readonly to: 'open'; readonly forMs: number /** For people. */; readonly why: string }
  | { readonly to: 'half-open' }
  | { readonly to: 'closed' };

export interface Ejection {
  /** So many failures in a row; failing far more often than the others; or failing as it was let try again. */
  readonly why: 'failures' | 'outlier' | 'probe';
  /** In a row. */
  readonly failures: number;
  readonly forMs: number;
}

export interface PoolWatch {
  /** Somebody was picked for a try. */
  tried(): void;
  /** It was somebody of another zone than the preferred one. */
  leftZone(): void;
  ejected(instance: Instance, ejection: Ejection): void;
  readmitted(instance: Instance): void;
}

export interface BudgetWatch {
  /** Whether one more try could be paid for. */
  budgetAsked(isPaid: boolean): void;
}

export interface BreakersWatch {
  /** `path`: of the call that the breaker was made for. */
  breakerBecame(route: RoutePlan, path: string, change: BreakerChange): void;
}

export interface TargetWatch extends PoolWatch, BudgetWatch, BreakersWatch {
  retried(by: keyof Tried): void;
  /** A try was made beside one that is slow. */
  hedged(): void;
  /** A breaker let it not through. */
  breakerRefused(route: RoutePlan): void;
}

export const NOBODY: TargetWatch = {
  tried: () => undefined,
  leftZone: () => undefined,
  ejected: () => undefined,
  readmitted: () => undefined,
  budgetAsked: () => undefined,
  breakerBecame: () => undefined,
  retried: () => undefined,
  hedged: () => undefined,
  breakerRefused: () => undefined,
};
