// Which instances are left alone for a while, and how they come back.
//
//   J1. One that turned a call away is set aside for some seconds; it comes back by itself.
//   J2. One that failed so often in a row, or far more often than the others, is ejected: longer each time in a row. When its
//       time is over one call probes it, and what that comes to decides.
//   J3. Never more than a share of all instances are ejected, and never the only one.
//   J4. While nobody succeeds nobody is ejected, nor for longer than before: then it is not the instance. So an app that was
//       down as a whole is there again as a whole.

import { mayBeSentAgain } from '../../api/fault.ts';
import { healthOf, type Outcome } from './codes.ts';
import type { EjectionPlan } from './plan.ts';

export type Standing =
  | { readonly kind: 'in' }
  | { readonly kind: 'aside'; readonly untilMs: number }
  /** `times`: how often in a row. */
  | { readonly kind: 'ejected'; readonly untilMs: number; readonly times: number }
  | { readonly kind: 'probing'; readonly times: number; readonly isUnderWay: boolean };

/** What a try said of the instance. `turned-away`: it took nothing, and another one may; `unknown`: nothing. */
export type Report = 'success' | 'failure' | 'turned-away' | 'unknown';

/** Of one try. A connection that was closing, or a peer that wants to be spoken to otherwise, is no verdict on the instance. */
export function reportOf(outcome: Outcome): Report {
  const resent = outcome.kind === 'fault' ? mayBeSentAgain(outcome.code) : 'never';
  if (resent === 'elsewhere') return 'turned-away';
  return resent === 'anywhere' ? 'unknown' : healthOf(outcome, 'servers-failures');
}

export const IN: Standing = { kind: 'in' };

/** About as long as it takes until the names no longer lead to a pod that is gone. */
const ASIDE_MS = 5000;

/** What the pool knows of the others. */
export interface Others {
  mayEject(): boolean;
  haveSucceededSince(ms: number): boolean;
}

/** What is looked at of an instance here. */
interface Judged {
  readonly standing: Standing;
  /** In a row. */
  readonly failures: number;
  /** The first of them. */
  readonly failingSinceMs: number;
}

/** What a report makes of an instance. */
export function standingAfter(
  member: Judged,
  report: Report,
  plan: EjectionPlan,
  nowMs: number,
  others: Others,
): Standing {
  const { standing, failures, failingSinceMs } = member;
  switch (standing.kind) {
    case 'probing': {
      if (!standing.isUnderWay) return standing;
      if (report === 'success') return IN;
      if (report === 'unknown') return { kind: 'probing', times: standing.times, isUnderWay: false };
      const times = others.haveSucceededSince(failingSinceMs) ? standing.times + 1 : standing.times;
      return ejected(times, plan, nowMs);
    }
    case 'ejected':
      return standing;
    case 'aside':
    case 'in':
      if (plan.enabled && failures >= plan.consecutiveFailures && isBad(report))
        if (others.haveSucceededSince(failingSinceMs) && others.mayEject()) return ejected(1, plan, nowMs);
      return report === 'turned-away' ? { kind: 'aside', untilMs: nowMs + ASIDE_MS } : standing;
  }
}

function isBad(report: Report): boolean {
  return report === 'failure' || report === 'turned-away';
}

export function ejected(times: number, { baseMs, maxMs }: EjectionPlan, nowMs: number): Standing {
  return { kind: 'ejected', times, untilMs: nowMs + Math.min(baseMs * 2 ** Math.min(times - 1, 30), maxMs) };
}

/** How many of so many may be ejected at once. */
export function ejectedMax(members: number, { maxPercent }: EjectionPlan): number {
  return Math.min(Math.floor((members * maxPercent) / 100), members - 1);
}

/** How often success rates are compared, and of how many calls and instances a rate says something. */
export const OUTLIER_PERIOD_MS = 10_000;
const CALLS_MIN = 20;
const MEMBERS_MIN = 5;
/** So many standard deviations below the mean, and so much below it in any case. */
const DEVIATIONS = 1.9;
const BELOW_MEAN = 0.1;

/** In one period. */
interface Rated {
  readonly calls: number;
  readonly successes: number;
}

/** Those whose calls succeed far less often than those of the others. */
export function outliers<M extends Rated>(members: readonly M[]): readonly M[] {
  const known = members.filter(({ calls }) => calls >= CALLS_MIN);
  if (known.length < MEMBERS_MIN) return [];
  const rates = known.map(({ calls, successes }) => successes / calls);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
  const least = mean - Math.max(DEVIATIONS * Math.sqrt(variance), BELOW_MEAN);
  return known.filter(({ calls, successes }) => successes / calls < least);
}
