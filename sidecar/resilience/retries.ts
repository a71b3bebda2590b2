// What a call that was tried in vain remembers: where it has been, why, and how often it may go on. Made at its first failure.
import type { OutboundCall } from '../../api/call.ts';
import type { Fault } from '../../api/fault.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import type { Member } from '../../policy/resiliency/pick/member.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import { type Again, again, NEVER_TRIED, type Tried } from '../../policy/resiliency/retry.ts';
import type { Endpoint } from '../resolve/resolver.ts';
import type { AttemptEnd, FailedTry } from './time-spent.ts';
import type { Trial } from './trial.ts';

interface Failure {
  readonly outcome: Outcome;
  readonly reason: Fault | undefined;
  readonly connectedMs: AttemptEnd['connectedMs'];
  /** It is not known whether all of its request is there. */
  readonly isStreamed: boolean;
  readonly nowMs: number;
}

const NO_BUILT_INS = { undelivered: false, idempotent: false };
/** The caller is told of the first ones. */
const HISTORY_MAX = 8;

export class Retries {
  /** The endpoints that could not take it. */
  readonly tried = new Set<Member<Endpoint>>();
  readonly history: FailedTry[] = [];
  lastFault: Fault | undefined;
  #counts: Tried = NEVER_TRIED;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How long to wait before the next try; undefined: there is none. */
  next(call: OutboundCall, route: RoutePlan, trial: Trial, failure: Failure): number | undefined {
    const { reason, isStreamed, nowMs } = failure;
    this.lastFault = reason;
    const next = this.#allowed(call, route, trial, failure);
    if (next.kind === 'no' || (isStreamed && next.by === 'policy')) return undefined;
    if (call.deadlineMs !== undefined && nowMs + next.afterMs >= call.deadlineMs) return undefined;
    if (trial.breakerOpenMs(nowMs) > next.afterMs) return undefined;
    // A connection that was closing is nobody's load.
    const isFree = next.by === 'undelivered' && next.where === 'anywhere';
    if (!isFree && !trial.target.budget.tryRetry(nowMs)) return undefined;
    trial.target.watch.retried(next.by);
    this.#counts = { ...this.#counts, [next.by]: this.#counts[next.by] + 1 };
    if (this.history.length < HISTORY_MAX) this.history.push(timesOf(trial, failure));
    return next.afterMs;
  }

  #allowed(call: OutboundCall, route: RoutePlan, trial: Trial, { outcome, nowMs }: Failure): Again {
    const { target, upstream, member } = trial;
    const rules = { route, builtIn: target.plan.builtIn, random: this.#random };
    const next = again(call, outcome, this.#counts, rules);
    if (next.kind === 'no' || next.where === 'anywhere') return next;
    this.tried.add(member);
    target.pool.update(upstream.endpoints(), nowMs);
    if (target.pool.hasOther(this.tried)) return next;
    // Only a policy asks for more tries than there are endpoints; it begins anew with them.
    const more = next.by === 'policy' ? next : again(call, outcome, this.#counts, { ...rules, builtIn: NO_BUILT_INS });
    if (more.kind === 'again') this.tried.clear();
    return more;
  }
}

function timesOf({ startedMs }: Trial, { connectedMs, nowMs, outcome }: Failure): FailedTry {
  return { startedMs, connectedMs, answeredMs: undefined, endedMs: nowMs, outcome };
}
