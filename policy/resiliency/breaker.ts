// A circuit breaker: closed, it lets calls through and counts; open, it refuses all of them for a while; half-open, it lets a few
// probe, and closes once as many in a row succeed.
//
//   B1. Half-open, no more than `maxRequests` calls are let through, until one of them fails or all have succeeded.
//   B2. What a call came to counts only in the state, and the interval, in which it was let through.
import type { Counts } from '../../api/trip.ts';
import type { Health } from './codes.ts';
import type { BreakerPlan } from './plan.ts';
import { RatioWindow } from './ratio-window.ts';

/** What a call was let through with, to be given back when it is over. 0: it was refused. */
export type Pass = number;

type State =
  | { readonly kind: 'closed'; readonly counts: MutableCounts; readonly newCountsAtMs: number }
  | { readonly kind: 'open'; readonly untilMs: number }
  | { readonly kind: 'half-open'; started: number; succeeded: number };

type MutableCounts = { -readonly [Name in keyof Counts]: Counts[Name] };

export class Breaker {
  readonly #plan: BreakerPlan;
  readonly #ratio: RatioWindow | undefined;
  #state: State;
  /** Grows with each state and each interval (B2). */
  #era: Pass = 1;

  constructor(plan: BreakerPlan, nowMs: number) {
    this.#plan = plan;
    this.#ratio = plan.ratio && new RatioWindow(plan.ratio, nowMs);
    this.#state = closed(plan, nowMs);
  }

  get state(): State['kind'] {
    return this.#state.kind;
  }

  /** To be asked before each try; 0 refuses it. */
  admit(nowMs: number): Pass {
    const state = this.#current(nowMs);
    switch (state.kind) {
      case 'closed':
        state.counts.requests++;
        return this.#era;
      case 'open':
        return 0;
      case 'half-open':
        if (state.started >= this.#plan.maxRequests) return 0;
        state.started++;
        return this.#era;
    }
  }

  /** To be told once, for each pass. */
  done(pass: Pass, health: Health, nowMs: number): void {
    const state = this.#current(nowMs);
    if (pass !== this.#era) return;
    if (state.kind === 'closed') this.#count(state.counts, health, nowMs);
    if (state.kind !== 'half-open') return;
    if (health === 'failure') this.#open(nowMs);
    // Of a probe that nobody heard the end of nothing is known: another one may go.
    else if (health === 'unknown') state.started--;
    else if (++state.succeeded >= this.#plan.maxRequests) this.#become(closed(this.#plan, nowMs));
  }

  /** How long a caller that was refused should wait. */
  retryAfterMs(nowMs: number): number {
    const state = this.#state;
    return state.kind === 'open' ? Math.max(state.untilMs - nowMs, 0) : 0;
  }

  #current(nowMs: number): State {
    const state = this.#state;
    if (state.kind === 'open' && nowMs >= state.untilMs)
      return this.#become({ kind: 'half-open', started: 0, succeeded: 0 });
    if (state.kind === 'closed' && nowMs >= state.newCountsAtMs) return this.#become(closed(this.#plan, nowMs));
    return state;
  }

  #become(state: State): State {
    this.#era++;
    this.#state = state;
    return state;
  }

  #count(counts: MutableCounts, health: Health, nowMs: number): void {
    if (health === 'unknown') return;
    this.#ratio?.add(health === 'failure', nowMs);
    if (health === 'success') {
      counts.totalSuccesses++;
      counts.consecutiveSuccesses++;
      counts.consecutiveFailures = 0;
      return;
    }
    counts.totalFailures++;
    counts.consecutiveFailures++;
    counts.consecutiveSuccesses = 0;
    if (this.#plan.trip?.(counts) || this.#ratio?.isExceeded(nowMs)) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    this.#ratio?.clear();
    this.#become({ kind: 'open', untilMs: nowMs + this.#plan.openMs });
  }
}

function closed({ intervalMs }: BreakerPlan, nowMs: number): State {
  return {
    kind: 'closed',
    counts: { requests: 0, totalSuccesses: 0, totalFailures: 0, consecutiveSuccesses: 0, consecutiveFailures: 0 },
    newCountsAtMs: intervalMs === 0 ? Number.POSITIVE_INFINITY : nowMs + intervalMs,
  };
}
