// What the operator counts of its reconcilers. Only the leader's grow.
import { type Family, Histogram, Numbers } from '../../kit/metrics.ts';
import type { Reconciled } from './reconciler.ts';

/** Seconds; a reconciliation that writes takes two requests. */
const DURATION_BOUNDS_SEC = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

export interface ReconcileMetrics {
  readonly families: readonly Family[];
  ended(reconciler: string, outcome: Reconciled['did'] | 'failed', durationMs: number): void;
  queued(reconciler: string, depth: number): void;
  leads(isLeader: boolean): void;
}

export function reconcileMetrics(): ReconcileMetrics {
  const total = new Numbers(
    'counter',
    'invoke_operator_reconciles_total',
    'Objects that were looked at, by what was done about them.',
    ['reconciler', 'outcome'],
  );
  const duration = new Histogram(
    'invoke_operator_reconcile_duration_seconds',
    'From looking at an object to the last answer of the API server.',
    ['reconciler'],
    DURATION_BOUNDS_SEC,
  );
  const depth = new Numbers('gauge', 'invoke_operator_queue_depth', 'Objects that wait to be looked at.', [
    'reconciler',
  ]);
  const leader = new Numbers('gauge', 'invoke_operator_leader', '1 on the replica that reconciles, 0 on the others.');
  leader.set(leader.slot(), 0);
  return {
    families: [total, duration, depth, leader],
    ended(reconciler, outcome, durationMs) {
      total.add(total.slot(reconciler, outcome), 1);
      duration.observe(duration.slot(reconciler), durationMs / 1000);
    },
    queued: (reconciler, count) => depth.set(depth.slot(reconciler), count),
    leads: (isLeader) => leader.set(leader.slot(), isLeader ? 1 : 0),
  };
}
