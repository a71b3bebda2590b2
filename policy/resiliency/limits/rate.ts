// How often callers may call, each by its identity. Of each caller one number is kept: when its next call would be due if calls
// came evenly (GCRA, the token bucket without tokens).
//
//   Q1. In any time a caller makes no more calls than its burst and what its rate adds in that time.
//   Q2. What is kept of callers is bounded. Where there are too many, those for whom there is no room share one allowance.
import { type Identity, spiffeId } from '../../../api/ids.ts';

export interface RateRule {
  /** Whether the rule is about the caller. */
  readonly isAbout: (caller: Identity) => boolean;
  /** Between two calls, when they come evenly. */
  readonly intervalMs: number;
  readonly burst: number;
}

const CALLERS_MAX = 4096;

interface Allowance {
  readonly caller: Identity;
  rule: RateRule;
  dueMs: number;
  /** It was idle, and made room for others. */
  isForgotten: boolean;
}

export class RateLimits {
  #rules: readonly RateRule[];
  readonly #callersMax: number;
  readonly #byCaller = new Map<string, Allowance>();
  readonly #shared = new Map<RateRule, Allowance>();
  /** A connection has one identity for as long as it is open. */
  #known = new WeakMap<Identity, Allowance | 'unlimited'>();

  /** The first rule that is about a caller counts. */
  constructor(rules: readonly RateRule[], callersMax = CALLERS_MAX) {
    this.#rules = rules;
    this.#callersMax = callersMax;
  }

  get size(): number {
    return this.#byCaller.size;
  }

  /** Each caller has used up of the new rules as many calls as it had of the old ones. */
  setRules(rules: readonly RateRule[], nowMs: number): void {
    this.#rules = rules;
    this.#known = new WeakMap();
    this.#shared.clear();
    for (const [name, allowance] of this.#byCaller) {
      const rule = this.#ruleFor(allowance.caller);
      if (rule === undefined) {
        this.#byCaller.delete(name);
        continue;
      }
      const callsAhead = Math.max(0, allowance.dueMs - nowMs) / allowance.rule.intervalMs;
      allowance.dueMs = nowMs + callsAhead * rule.intervalMs;
      allowance.rule = rule;
    }
  }

  /** 0: the call may come, and is counted; else how long the caller should wait. */
  admit(caller: Identity, nowMs: number): number {
    if (this.#rules.length === 0) return 0;
    const allowance = this.#allowanceOf(caller, nowMs);
    if (allowance === 'unlimited') return 0;
    const { intervalMs, burst } = allowance.rule;
    const aheadMs = allowance.dueMs - nowMs - (burst - 1) * intervalMs;
    // Intervals are fractions, and a sum of them misses the whole by less than this.
    if (aheadMs > 1e-6) return aheadMs;
    allowance.dueMs = Math.max(allowance.dueMs, nowMs) + intervalMs;
    return 0;
  }

  #allowanceOf(caller: Identity, nowMs: number): Allowance | 'unlimited' {
    const known = this.#known.get(caller);
    if (known === 'unlimited' || known?.isForgotten === false) return known;
    const found = this.#find(caller, nowMs);
    // One that is shared may get an allowance of its own, as soon as there is room.
    if (found === 'unlimited' || found !== this.#shared.get(found.rule)) this.#known.set(caller, found);
    return found;
  }

  #find(caller: Identity, nowMs: number): Allowance | 'unlimited' {
    const rule = this.#ruleFor(caller);
    if (rule === undefined) return 'unlimited';
    const name = spiffeId(caller);
    const known = this.#byCaller.get(name);
    if (known !== undefined) return known;
    if (this.#byCaller.size >= this.#callersMax) this.#forgetIdle(nowMs);
    const fresh: Allowance = { caller, rule, dueMs: nowMs, isForgotten: false };
    if (this.#byCaller.size < this.#callersMax) {
      this.#byCaller.set(name, fresh);
      return fresh;
    }
    const shared = this.#shared.get(rule) ?? fresh;
    this.#shared.set(rule, shared);
    return shared;
  }

  #ruleFor(caller: Identity): RateRule | undefined {
    return this.#rules.find(({ isAbout }) => isAbout(caller));
  }

  #forgetIdle(nowMs: number): void {
    for (const [name, allowance] of this.#byCaller) {
      if (allowance.dueMs > nowMs) continue;
      allowance.isForgotten = true;
      this.#byCaller.delete(name);
    }
  }
}
