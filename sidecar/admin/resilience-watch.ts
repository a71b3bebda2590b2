// What a sidecar counts about how its calls survive: tries, retries and who paid for them, breakers, instances that are left alone.
// What happens is counted as it happens, and some of it has a line in the log; how things are is read off when somebody asks.
import { type Callee, calleeLabel } from '../../api/external.ts';
import { Numbers, Reading, renderMetrics } from '../../kit/metrics.ts';
import type { Instance } from '../../policy/resiliency/pick/member.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { BreakerChange, BreakerState, Ejection, TargetWatch } from '../../policy/resiliency/watch.ts';
import type { TargetState, Targets } from '../resilience/targets.ts';
import type { ResilienceLog } from './resilience-log.ts';

export class ResilienceWatch {
  readonly #counters = openCounters();
  readonly #log: ResilienceLog;

  constructor(log: ResilienceLog) {
    this.#log = log;
  }

  /** Watches one target. */
  of(target: Callee): TargetWatch {
    return new TargetCounts(target, this.#counters, this.#log);
  }

  /** As Prometheus reads it. */
  render(targets: Targets, nowMs: number): string {
    return renderMetrics([...Object.values(this.#counters), ...readings(targets, nowMs)]);
  }
}

type Counters = ReturnType<typeof openCounters>;

/** Of plain calls only tries are counted, in a slot that was found before. */
class TargetCounts implements TargetWatch {
  readonly #target: Callee;
  readonly #peer: string;
  readonly #counters: Counters;
  readonly #log: ResilienceLog;
  readonly #tries: number;

  constructor(target: Callee, counters: Counters, log: ResilienceLog) {
    this.#target = target;
    this.#peer = calleeLabel(target);
    this.#counters = counters;
    this.#log = log;
    this.#tries = counters.tries.slot(this.#peer);
  }

  tried(): void {
    this.#counters.tries.add(this.#tries, 1);
  }

  leftZone(): void {
    count(this.#counters.zoneLeft, this.#peer);
  }

  hedged(): void {
    count(this.#counters.hedges, this.#peer);
  }

  retried(by: string): void {
    count(this.#counters.retries, this.#peer, by);
  }

  budgetAsked(isPaid: boolean): void {
    count(isPaid ? this.#counters.budgetSpent : this.#counters.budgetRefused, this.#peer);
  }

  breakerBecame(route: RoutePlan, path: string, change: BreakerChange): void {
    count(this.#counters.breakerChanges, this.#peer, routeLabel(route), change.to);
    this.#log.breakerBecame(this.#target, route, path, change);
  }

  breakerRefused(route: RoutePlan): void {
    count(this.#counters.breakerRefused, this.#peer, routeLabel(route));
  }

  ejected(instance: Instance, ejection: Ejection): void {
    count(this.#counters.ejections, this.#peer, ejection.why);
    this.#log.ejected(this.#target, instance, ejection);
  }

  readmitted(instance: Instance): void {
    count(this.#counters.readmissions, this.#peer);
    this.#log.readmitted(this.#target, instance);
  }
}

function count(numbers: Numbers, ...labels: string[]): void {
  numbers.add(numbers.slot(...labels), 1);
}

function routeLabel({ name }: Pick<RoutePlan, 'name'>): string {
  return name ?? '';
}

/** In the order in which they are shown. */
function openCounters() {
  const counter = (name: string, help: string, ...labels: string[]) =>
    new Numbers('counter', name, help, ['peer', ...labels]);
  return {
    tries: counter('invoke_tries_total', 'Tries of outbound calls at an instance, the first of each call among them.'),
    retries: counter('invoke_retries_total', 'Calls that were tried again, by what allowed it.', 'reason'),
    hedges: counter('invoke_hedges_total', 'Tries that were made beside one that was slow.'),
    zoneLeft: counter('invoke_zone_left_total', 'Tries at instances of another zone than the preferred one.'),
    budgetSpent: counter('invoke_retry_budget_spent_total', 'Tries that the retry budget paid for.'),
    budgetRefused: counter('invoke_retry_budget_refused_total', 'Tries that were not made, as the budget was spent.'),
    breakerChanges: counter('invoke_breaker_transitions_total', 'How often breakers became what.', 'route', 'to'),
    breakerRefused: counter('invoke_breaker_refused_total', 'Tries that a breaker did not let through.', 'route'),
    ejections: counter('invoke_ejections_total', 'Instances that were ejected, by why.', 'reason'),
    readmissions: counter('invoke_readmissions_total', 'Ejected instances that are called again.'),
  };
}

function readings(targets: Targets, nowMs: number): readonly Reading[] {
  const list = targets.list();
  const each = (name: string, help: string, read: (target: TargetState) => number, join?: typeof Math.min) =>
    new Reading({ name, help, labels: ['peer'], ...(join && { join }) }, (put) => {
      for (const target of list) put(read(target), calleeLabel(target.target));
    });
  const left = ({ budget }: TargetState) => budgetLeft(budget.reading(nowMs));
  return [
    each('invoke_retry_budget_left_ratio', 'The share of the retry budget that is left, from 0 to 1.', left, Math.min),
    breakerReading(list, nowMs),
    limitReading(list),
    each('invoke_instances', 'Instances that are known.', ({ pool }) => pool.size),
    each('invoke_instances_ejected', 'Of those, how many are left alone now.', ({ pool }) => pool.ejected),
    new Reading(
      { name: 'invoke_replay_bytes', help: 'Beginnings of requests that are kept for another try.', labels: [] },
      (put) => put(targets.kept.bytes),
    ),
  ];
}

function budgetLeft({ credit, spent }: { readonly credit: number; readonly spent: number }): number {
  return credit === 0 ? 0 : Math.max(0, 1 - spent / credit);
}

function limitReading(list: readonly TargetState[]): Reading {
  const labels = ['peer', 'state'];
  const help = 'Calls that hold a place of their limit, or wait for one.';
  return new Reading({ name: 'invoke_limit_calls', help, labels, isLastKept: true }, (put) => {
    for (const { target, limit } of list) {
      if (limit === undefined) continue;
      put(limit.inside, calleeLabel(target), 'under-way');
      put(limit.waiting, calleeLabel(target), 'waiting');
    }
  });
}

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** Of a route there is one; outside of routes there is one for each path, and they are counted. */
function breakerReading(list: readonly TargetState[], nowMs: number): Reading {
  const labels = ['peer', 'route', 'state'];
  const help = 'Circuit breakers, by their state.';
  return new Reading({ name: 'invoke_breakers', help, labels, isLastKept: true }, (put) => {
    for (const { target, breakers } of list)
      for (const { route, state } of breakers.readings(nowMs))
        for (const one of STATES) put(Number(one === state), calleeLabel(target), route ?? '', one);
  });
}
