// All instances of one target, and which of them takes the next try.
//
//   P1. Nobody is picked that is left alone (ejected, set aside, draining) while anybody else is willing.
//   P2. An ejected member whose time is over gets one call as a probe, and no other until that is over.
//   P3. Each pick is given back once, with what it came to: in-flight counts rest on it.
//
// A plain pick draws two numbers, compares two members, and makes nothing. Lists are made anew only when instances or standings
// change; time alone changes one at `#changesAtMs`, which is all that a pick looks at.
import type { Random } from '../../../kit/backoff.ts';
import {
  ejected,
  ejectedMax,
  IN,
  type Others,
  OUTLIER_PERIOD_MS,
  outliers,
  type Report,
  type Standing,
  standingAfter,
} from '../eject.ts';
import type { BalancingPlan, EjectionPlan, SubsetPlan } from '../plan.ts';
import { type Ejection, NOBODY, type PoolWatch } from '../watch.ts';
import { Group, type PickRequest } from './group.ts';
import { type Instance, isWilling, Member, memberKey } from './member.ts';

export interface PoolOptions {
  readonly balancing: BalancingPlan;
  readonly ejection: EjectionPlan;
  /** The caller's own, where it knows it. */
  readonly zone?: string;
  readonly random: Random;
  readonly watch?: PoolWatch;
}

interface Share<I extends Instance> {
  readonly subset: SubsetPlan;
  readonly group: Group<I>;
}

const FIRST_TRY = {};

export class Pool<I extends Instance = Instance> implements Others {
  readonly #options: PoolOptions;
  readonly #watch: PoolWatch;
  /** The preferred one. */
  #zone: string | undefined;
  readonly #everybody: Group<I>;
  readonly #shares: readonly Share<I>[];
  #source: readonly I[] = [];
  readonly #members = new Map<string, Member<I>>();
  /** Those whose time alone is over, and that wait for a call to probe them. */
  readonly #unprobed = new Set<Member<I>>();
  #ejected = 0;
  /** When somebody last did. */
  #succeededMs = Number.NEGATIVE_INFINITY;
  #changesAtMs = Number.POSITIVE_INFINITY;
  #outliersAtMs: number;

  constructor(options: PoolOptions, nowMs: number) {
    this.#options = options;
    this.#watch = options.watch ?? NOBODY;
    this.#zone = preferred(options, options.zone);
    const group = () => new Group<I>({ plan: options.balancing, zone: options.zone, random: options.random });
    this.#everybody = group();
    this.#shares = options.balancing.subsets.map((subset) => ({ subset, group: group() }));
    this.#outliersAtMs = nowMs + OUTLIER_PERIOD_MS;
  }

  /** Takes over who there is; the same array as before changes nothing. What is known of those that stay is kept. */
  update(instances: readonly I[], nowMs: number): void {
    if (instances === this.#source || areSame(instances, this.#source)) return;
    this.#source = instances;
    const keys = new Set<string>();
    for (const instance of instances) {
      const key = memberKey(instance);
      keys.add(key);
      const known = this.#members.get(key);
      if (known === undefined) this.#members.set(key, new Member(instance, nowMs));
      else known.instance = instance;
    }
    for (const [key, member] of this.#members) if (!keys.has(key)) this.#forget(key, member);
    const members = [...this.#members.values()];
    this.#everybody.assign(members);
    for (const { subset, group } of this.#shares) group.assign(members.filter((member) => isOf(subset, member)));
  }

  #forget(key: string, member: Member<I>): void {
    this.#members.delete(key);
    this.#unprobed.delete(member);
    if (isCounted(member)) this.#ejected--;
  }

  /** It is known now where the caller itself is. */
  setZone(zone: string): void {
    this.#zone = preferred(this.#options, zone);
    this.#everybody.setZone(zone);
    for (const { group } of this.#shares) group.setZone(zone);
  }

  /** All of them, for whoever looks on. */
  members(): readonly Member<I>[] {
    return [...this.#members.values()];
  }

  /** How many are ejected, or are let try again after that. */
  get ejected(): number {
    return this.#ejected;
  }

  /** How many there are. */
  get size(): number {
    return this.#members.size;
  }

  /** How many take calls as things are. */
  get willing(): number {
    return this.#everybody.willing;
  }

  /** Undefined: nobody is left that this call has not tried. */
  pick(nowMs: number, request: PickRequest<I> = FIRST_TRY): Member<I> | undefined {
    if (nowMs >= this.#changesAtMs) this.#passTime(nowMs);
    if (nowMs >= this.#outliersAtMs) this.#ejectOutliers(nowMs);
    const isFirstTry = request.tried === undefined;
    const member = (isFirstTry ? this.#probe() : undefined) ?? this.#group().pick(nowMs, request);
    if (member === undefined) return undefined;
    member.inFlight++;
    this.#watch.tried();
    if (this.#zone !== undefined && member.instance.zone !== this.#zone) this.#watch.leftZone();
    return member;
  }

  /** P2. */
  #probe(): Member<I> | undefined {
    if (this.#unprobed.size === 0) return undefined;
    for (const member of this.#unprobed) {
      this.#unprobed.delete(member);
      if (member.standing.kind !== 'probing' || member.instance.isDraining) continue;
      member.standing = { ...member.standing, isUnderWay: true };
      return member;
    }
    return undefined;
  }

  /** Subsets by their weight; those that have nobody to offer leave their share to the others, and none at all to everybody. */
  #group(): Group<I> {
    if (this.#shares.length === 0) return this.#everybody;
    let total = 0;
    for (const { subset, group } of this.#shares) if (group.willing > 0) total += subset.weight;
    let drawn = this.#options.random() * total;
    for (const { subset, group } of this.#shares) {
      if (group.willing === 0) continue;
      drawn -= subset.weight;
      if (drawn < 0) return group;
    }
    return this.#everybody;
  }

  /** Whether there is anybody that this call has not tried. */
  hasOther(tried: ReadonlySet<Member<I>>): boolean {
    for (const member of this.#members.values()) if (!tried.has(member)) return true;
    return false;
  }

  /** The same, of those that take calls as things are. */
  hasWillingOther(tried: ReadonlySet<Member<I>>): boolean {
    for (const member of this.#members.values()) if (!tried.has(member) && isWilling(member)) return true;
    return false;
  }

  /** A pick that nobody waits for any more had not answered after so long: that much is known of it. */
  outrun(member: Member<I>, waitedMs: number, nowMs: number): void {
    member.sampleAtLeast(waitedMs, nowMs);
  }

  /** P3, of a pick that was told of and left at once. */
  done(member: Member<I>, report: Report, nowMs: number, latencyMs = 0): void {
    this.left(member);
    this.answered(member, report, nowMs, latencyMs);
  }

  /** P3. */
  left(member: Member<I>): void {
    member.inFlight--;
  }

  /** What a pick came to; its latency is to the head of the answer. One that breaks off later may be told of again. */
  answered(member: Member<I>, report: Report, nowMs: number, latencyMs: number): void {
    if (report !== 'unknown') note(member, report, nowMs, latencyMs);
    if (report === 'success') this.#succeededMs = nowMs;
    const before = member.standing;
    // Nearly every call is of this kind, and changes nothing.
    if (before === IN && report === 'success') return;
    const after = standingAfter(member, report, this.#options.ejection, nowMs, this);
    if (after !== before && this.#members.get(memberKey(member.instance)) === member)
      this.#change(member, after, nowMs);
  }

  mayEject(): boolean {
    return this.#ejected < ejectedMax(this.#members.size, this.#options.ejection);
  }

  haveSucceededSince(ms: number): boolean {
    return this.#succeededMs >= ms;
  }

  #change(member: Member<I>, standing: Standing, nowMs: number, cause: Ejection['why'] = 'failures'): void {
    const wasCounted = isCounted(member);
    const why = member.standing.kind === 'probing' ? 'probe' : cause;
    member.standing = standing;
    if (standing.kind === 'ejected')
      this.#watch.ejected(member.instance, { why, failures: member.failures, forMs: standing.untilMs - nowMs });
    if (standing.kind === 'in' && wasCounted) this.#watch.readmitted(member.instance);
    this.#ejected += Number(isCounted(member)) - Number(wasCounted);
    if (standing.kind === 'probing' && !standing.isUnderWay) this.#unprobed.add(member);
    if ('untilMs' in standing) this.#changesAtMs = Math.min(this.#changesAtMs, standing.untilMs);
    this.#refresh();
  }

  #passTime(nowMs: number): void {
    this.#changesAtMs = Number.POSITIVE_INFINITY;
    for (const member of this.#members.values()) {
      const { standing } = member;
      if (!('untilMs' in standing)) continue;
      if (nowMs < standing.untilMs) this.#changesAtMs = Math.min(this.#changesAtMs, standing.untilMs);
      else if (standing.kind === 'aside') this.#change(member, IN, nowMs);
      else this.#change(member, { kind: 'probing', times: standing.times, isUnderWay: false }, nowMs);
    }
  }

  #ejectOutliers(nowMs: number): void {
    this.#outliersAtMs = nowMs + OUTLIER_PERIOD_MS;
    const members = [...this.#members.values()];
    if (this.#options.ejection.enabled)
      for (const member of outliers(members)) {
        if (member.standing.kind === 'in' && this.mayEject())
          this.#change(member, ejected(1, this.#options.ejection, nowMs), nowMs, 'outlier');
      }
    for (const member of members) {
      member.calls = 0;
      member.successes = 0;
    }
  }

  #refresh(): void {
    this.#everybody.refresh();
    for (const { group } of this.#shares) group.refresh();
  }
}

function preferred({ balancing }: PoolOptions, zone: string | undefined): string | undefined {
  return balancing.zone === 'prefer' ? zone : undefined;
}

/** Names are looked up again and again, and mostly say the same. */
function areSame<I extends Instance>(a: readonly I[], b: readonly I[]): boolean {
  return a.length === b.length && a.every((instance, at) => isSame(instance, b[at]));
}

function isSame(a: Instance, b: Instance | undefined): boolean {
  if (a === b || b === undefined) return a === b;
  const isAlike = a.host === b.host && a.port === b.port && a.zone === b.zone && a.isDraining === b.isDraining;
  return isAlike && haveSameLabels(a.labels, b.labels);
}

function haveSameLabels(a: Instance['labels'], b: Instance['labels']): boolean {
  if (a === b || a?.size !== b?.size) return a === b;
  for (const [name, value] of a ?? []) if (b?.get(name) !== value) return false;
  return true;
}

function isCounted({ standing }: Member): boolean {
  return standing.kind === 'ejected' || standing.kind === 'probing';
}

function isOf({ labels }: SubsetPlan, { instance }: Member): boolean {
  for (const [name, value] of labels) if (instance.labels?.get(name) !== value) return false;
  return true;
}

function note(member: Member, report: Report, nowMs: number, latencyMs: number): void {
  member.sample(latencyMs, report !== 'success', nowMs);
  member.calls++;
  if (report === 'success') {
    member.successes++;
    member.failures = 0;
    return;
  }
  if (member.failures === 0) member.failingSinceMs = nowMs;
  member.failures++;
}
