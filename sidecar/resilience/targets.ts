// What this sidecar keeps of each target that its app calls: the plan that it goes by, and what it has learned meanwhile. Calls
// share it, for as long as the target is called.
import { type Callee, calleeName } from '../../api/external.ts';
import type { Random } from '../../kit/backoff.ts';
import { Breakers } from '../../policy/resiliency/breakers.ts';
import { Budget } from '../../policy/resiliency/budget.ts';
import { Pool } from '../../policy/resiliency/pick/pool.ts';
import type { TargetPlan } from '../../policy/resiliency/plan.ts';
import type { Endpoint, Upstream } from '../resolve/resolver.ts';

export interface TargetState {
  readonly plan: TargetPlan;
  readonly pool: Pool<Endpoint>;
  readonly budget: Budget;
  readonly breakers: Breakers;
}

/** What a target is called by, as policies stand. */
export type PlanFor = (target: Callee) => TargetPlan;

/** What callers may name is unbounded; what is forgotten merely starts over. */
const TARGETS_MAX = 4096;

export class Targets {
  readonly #planFor: PlanFor;
  readonly #random: Random;
  readonly #byName = new Map<string, TargetState>();
  /** Names are joined and looked for once per upstream, and not once per call. */
  #byUpstream = new WeakMap<Upstream, TargetState>();

  constructor(planFor: PlanFor, random: Random) {
    this.#planFor = planFor;
    this.#random = random;
  }

  of(upstream: Upstream, nowMs: number): TargetState {
    const known = this.#byUpstream.get(upstream);
    if (known !== undefined) return known;
    const name = calleeName(upstream.target);
    const state = this.#byName.get(name) ?? this.#open(name, upstream.target, nowMs);
    this.#byUpstream.set(upstream, state);
    return state;
  }

  #open(name: string, target: Callee, nowMs: number): TargetState {
    const plan = this.#planFor(target);
    const { balancing, ejection } = plan;
    const state: TargetState = {
      plan,
      pool: new Pool<Endpoint>({ balancing, ejection, random: this.#random }, nowMs),
      budget: new Budget(plan.budget, nowMs),
      breakers: new Breakers(),
    };
    if (this.#byName.size >= TARGETS_MAX) this.#forgetAll();
    this.#byName.set(name, state);
    return state;
  }

  #forgetAll(): void {
    this.#byName.clear();
    this.#byUpstream = new WeakMap();
  }
}
