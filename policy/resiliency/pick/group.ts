// Members that are alike to the policy (all of them, or those of one subset), in the order in which they should be called:
// the willing ones of the own zone, those of other zones, and if nobody is willing, everybody.
import type { Random } from '../../../kit/backoff.ts';
import type { BalancingPlan } from '../plan.ts';
import { type Choose, pickLeastRequest, pickPeakEwma, pickRandom, roundRobin } from './choose.ts';
import { HashRing } from './hash-ring.ts';
import { type Instance, isWilling, type Member } from './member.ts';

export interface PickRequest<I extends Instance> {
  /** Those that this call has tried; undefined on its first try. */
  readonly tried?: ReadonlySet<Member<I>>;
  /** The value of the header that consistent hashing goes by. */
  readonly hashKey?: string;
}

/** The share of the own zone's members that has to be willing, for all calls to stay there; with fewer, some leave. */
const ZONE_HEALTH = 0.7;
/** A member of the own zone with more than that many times the calls of one elsewhere, and then some, gives the call away. */
const ZONE_LOAD_FACTOR = 2;
const ZONE_LOAD_SLACK = 2;

export interface GroupOptions {
  readonly plan: BalancingPlan;
  readonly zone: string | undefined;
  readonly random: Random;
}

export class Group<I extends Instance> {
  readonly #options: GroupOptions;
  readonly #choose: Choose;
  #zone: string | undefined;
  #all: readonly Member<I>[] = [];
  #willing: readonly Member<I>[] = [];
  /** Of the willing ones; all of them are `near` where zones do not matter. */
  #near: readonly Member<I>[] = [];
  #far: readonly Member<I>[] = [];
  /** The share of the calls that may stay near. */
  #nearShare = 1;
  #ring: HashRing<I> | undefined;
  /** Until then some member is in its slow start. */
  #slowUntilMs = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#choose = choiceOf(options);
    this.#zone = options.zone;
  }

  /** How many take calls as things are. */
  get willing(): number {
    return this.#willing.length;
  }

  /** `members` came or went. */
  assign(members: readonly Member<I>[]): void {
    const { plan } = this.#options;
    this.#all = members;
    this.#ring = plan.algorithm === 'consistent-hash' ? new HashRing(members) : undefined;
    this.#slowUntilMs = Math.max(0, ...members.map(({ bornMs }) => bornMs)) + plan.slowStartMs;
    this.refresh();
  }

  /** It is known now where the caller itself is. */
  setZone(zone: string): void {
    this.#zone = zone;
    this.refresh();
  }

  /** Somebody's standing changed. */
  refresh(): void {
    this.#willing = this.#all.filter(isWilling);
    const { plan } = this.#options;
    const zone = this.#zone;
    const isNear = ({ instance }: Member<I>) => instance.zone === zone;
    const nearAll = plan.zone === 'prefer' && zone !== undefined ? this.#all.filter(isNear).length : 0;
    this.#near = nearAll === 0 ? this.#willing : this.#willing.filter(isNear);
    this.#far = nearAll === 0 ? [] : this.#willing.filter((member) => !isNear(member));
    this.#nearShare = nearAll === 0 ? 1 : Math.min(1, this.#near.length / nearAll / ZONE_HEALTH);
  }

  pick(nowMs: number, { tried, hashKey }: PickRequest<I>): Member<I> | undefined {
    if (this.#ring !== undefined && hashKey !== undefined) return this.#ring.find(hashKey, tried);
    if (tried !== undefined) return this.#pickUntried(nowMs, tried);
    if (this.#willing.length === 0) return this.#choose(this.#all, nowMs, this.#options.random);
    return this.#far.length === 0 ? this.#pickWarm(this.#near, nowMs) : this.#pickByZone(nowMs);
  }

  /** Willing ones first, near before far; then any that was not tried. */
  #pickUntried(nowMs: number, tried: ReadonlySet<Member<I>>): Member<I> | undefined {
    for (const members of [this.#near, this.#far, this.#all]) {
      const left = members.filter((member) => !tried.has(member));
      if (left.length > 0) return this.#choose(left, nowMs, this.#options.random);
    }
    return undefined;
  }

  #pickByZone(nowMs: number): Member<I> | undefined {
    const { random } = this.#options;
    if (this.#near.length === 0 || (this.#nearShare < 1 && random() >= this.#nearShare))
      return this.#pickWarm(this.#far, nowMs);
    const near = this.#pickWarm(this.#near, nowMs);
    const far = pickRandom(this.#far, nowMs, random);
    if (near === undefined || far === undefined) return near ?? far;
    return near.inFlight > far.inFlight * ZONE_LOAD_FACTOR + ZONE_LOAD_SLACK ? far : near;
  }

  /** In its slow start a member is passed over the more often the younger it is. */
  #pickWarm(members: readonly Member<I>[], nowMs: number): Member<I> | undefined {
    const { plan, random } = this.#options;
    let member = this.#choose(members, nowMs, random);
    for (let draw = 0; draw < SLOW_START_DRAWS && nowMs < this.#slowUntilMs && member !== undefined; draw++) {
      const warmth = (nowMs - member.bornMs) / plan.slowStartMs;
      if (random() < Math.max(warmth, SLOW_START_SHARE_MIN)) break;
      member = pickRandom(members, nowMs, random);
    }
    return member;
  }
}

const SLOW_START_SHARE_MIN = 0.1;
/** Where all are new, somebody has to take it. */
const SLOW_START_DRAWS = 4;

function choiceOf({ plan, random }: GroupOptions): Choose {
  switch (plan.algorithm) {
    case 'peak-ewma':
      return pickPeakEwma;
    case 'least-request':
      return pickLeastRequest;
    case 'round-robin':
      return roundRobin(random);
    // Calls without the header that consistent hashing goes by are spread evenly.
    case 'random':
    case 'consistent-hash':
      return pickRandom;
  }
}
