// What this sidecar keeps of each target that its app calls: the plan that it goes by, and what it has learned meanwhile. Calls
// share it, for as long as the target is called.
import { isDeepStrictEqual } from 'node:util';
import type { OutboundCall } from '../../api/call.ts';
import { type Callee, calleeName } from '../../api/external.ts';
import { headerValue } from '../../api/headers.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { Breakers } from '../../policy/resiliency/breakers.ts';
import { Budget } from '../../policy/resiliency/budget.ts';
import { InFlight } from '../../policy/resiliency/limits/in-flight.ts';
import type { PickRequest } from '../../policy/resiliency/pick/group.ts';
import type { Member } from '../../policy/resiliency/pick/member.ts';
import { Pool } from '../../policy/resiliency/pick/pool.ts';
import type { TargetPlan } from '../../policy/resiliency/plan.ts';
import { NOBODY, type TargetWatch } from '../../policy/resiliency/watch.ts';
import type { Endpoint, Upstream } from '../resolve/resolver.ts';
import { Kept } from './replay.ts';

export interface TargetState {
  readonly target: Callee;
  readonly plan: TargetPlan;
  readonly pool: Pool<Endpoint>;
  readonly budget: Budget;
  readonly breakers: Breakers;
  /** Undefined: any number of calls at once. */
  readonly limit: InFlight | undefined;
  readonly watch: TargetWatch;
}

/** What a target is called by, as policies stand. */
export type PlanFor = (target: Callee) => TargetPlan;

/** Who is told of a target, from its first call on. */
export type WatchFor = (target: Callee) => TargetWatch;

/** What callers may name is unbounded; what is forgotten merely starts over. */
const TARGETS_MAX = 4096;

export class Targets {
  #planFor: PlanFor;
  #own: { readonly zone?: string } = {};
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #watchFor: WatchFor;
  /** Of the requests of all calls. */
  readonly kept = new Kept();
  readonly #byName = new Map<string, TargetState>();
  /** Names are joined and looked for once per upstream, and not once per call. */
  #byUpstream = new WeakMap<Upstream, TargetState>();

  constructor(planFor: PlanFor, random: Random, clock: Clock, watchFor: WatchFor = () => NOBODY) {
    this.#planFor = planFor;
    this.#random = random;
    this.#clock = clock;
    this.#watchFor = watchFor;
  }

  of(upstream: Upstream, nowMs: number): TargetState {
    const known = this.#byUpstream.get(upstream);
    if (known !== undefined) return known;
    const name = calleeName(upstream.target);
    const state = this.#byName.get(name) ?? this.#open(name, upstream.target, nowMs);
    this.#byUpstream.set(upstream, state);
    return state;
  }

  /** All that are remembered. */
  list(): readonly TargetState[] {
    return [...this.#byName.values()];
  }

  /** Policies have changed. What was learned of instances is kept where it is still asked for; breakers begin anew. */
  replan(planFor: PlanFor, nowMs: number): void {
    this.#planFor = planFor;
    for (const [name, before] of this.#byName) this.#byName.set(name, this.#stateOf(before.target, before, nowMs));
    this.#byUpstream = new WeakMap();
  }

  /** It is known now where this sidecar is. */
  setZone(zone: string): void {
    this.#own = { zone };
    for (const { pool } of this.#byName.values()) pool.setZone(zone);
  }

  #open(name: string, target: Callee, nowMs: number): TargetState {
    const state = this.#stateOf(target, undefined, nowMs);
    if (this.#byName.size >= TARGETS_MAX) this.#forgetAll();
    this.#byName.set(name, state);
    return state;
  }

  #stateOf(target: Callee, before: TargetState | undefined, nowMs: number): TargetState {
    const plan = this.#planFor(target);
    const watch = before?.watch ?? this.#watchFor(target);
    const { balancing, ejection, budget } = plan;
    const isSame = (field: 'balancing' | 'ejection' | 'budget') => isDeepStrictEqual(before?.plan[field], plan[field]);
    const pool = isSame('balancing') && isSame('ejection') ? before?.pool : undefined;
    return {
      target,
      plan,
      pool: pool ?? new Pool<Endpoint>({ balancing, ejection, random: this.#random, watch, ...this.#own }, nowMs),
      budget: (isSame('budget') ? before?.budget : undefined) ?? new Budget(budget, nowMs, watch),
      breakers: new Breakers(watch),
      limit: this.#limit(plan, before?.limit),
      watch,
    };
  }

  /** Those that are under way count on, whatever the new limit is. */
  #limit({ limit: wanted }: TargetPlan, known: InFlight | undefined): InFlight | undefined {
    if (wanted === undefined) {
      known?.setLimit(Number.POSITIVE_INFINITY);
      return undefined;
    }
    const { maxInFlight: limit, queueSize, queueTimeoutMs } = wanted;
    const bounds = { limit, queueSize, queueTimeoutMs };
    if (known === undefined) return new InFlight({ clock: this.#clock, ...bounds });
    known.setBounds(bounds);
    return known;
  }

  #forgetAll(): void {
    this.#byName.clear();
    this.#byUpstream = new WeakMap();
  }
}

/** Undefined, as nearly always, where there is nothing to say. */
export function pickRequest(
  { headers }: OutboundCall,
  { plan: { balancing } }: TargetState,
  tried: ReadonlySet<Member<Endpoint>> | undefined,
): PickRequest<Endpoint> | undefined {
  if (balancing.algorithm !== 'consistent-hash') return tried && { tried };
  const hashKey = headerValue(headers, balancing.hashHeader);
  return { ...(tried && { tried }), ...(hashKey !== undefined && { hashKey }) };
}
