// A circuit breaker: closed, it lets calls through and counts; open, it refuses all of them for a while; half-open, it lets a few
// probe, and closes once as many in a row succeed.
//
//   B1. Half-open, no more than `maxRequests` calls are let through, until one of them fails or all have succeeded.
//   B2. What a call came to counts only in the state, and the interval, in which it was let through.
import type { Counts } from '../../api/trip.ts';
import type { Health } from './codes.ts';
import type { BreakerPlan } from './plan.ts';
import { RatioWindow } from './ratio-window.ts';
import type { BreakerChange, BreakerState } from './watch.ts';

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
  readonly #tell: ((change: BreakerChange) => void) | undefined;
  #state: State;
  /** Grows with each state and each interval (B2). */
  #era: Pass = 1;

  /** `tell`: of each change of its state, once a call has brought it about. */
  constructor(plan: BreakerPlan, nowMs: number, tell?: (change: BreakerChange) => void) {
    this.#plan = plan;
    this.#tell = tell;
    this.#ratio = plan.ratio && new RatioWindow(plan.ratio, nowMs);
    this.#state = closed(plan, nowMs);
  }

  get state(): BreakerState {
    return this.#state.kind;
  }

  /** What the next call would find; nothing changes by asking. */
  stateAt(nowMs: number): BreakerState {
    const state = this.#state;
    return state.kind === 'open' && nowMs >= state.untilMs ? 'half-open' : state.kind;
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
    if (health === 'failure') this.#open(nowMs, 'the call that was let through to probe failed');
    // Of a probe that nobody heard the end of nothing is known: another one may go.
    else if (health === 'unknown') state.started--;
    else if (++state.succeeded >= this.#plan.maxRequests) {
      this.#become(closed(this.#plan, nowMs));
      this.#tell?.({ to: 'closed' });
    }
  }

  /** How long a caller that was refused should wait. */
  retryAfterMs(nowMs: number): number {
    const state = this.#state;
    return state.kind === 'open' ? Math.max(state.untilMs - nowMs, 0) : 0;
  }

  #current(nowMs: number): State {
    const state = this.#state;
    if (state.kind === 'open' && nowMs >= state.untilMs) {
      this.#tell?.({ to: 'half-open' });
      return this.#become({ kind: 'half-open', started: 0, succeeded: 0 });
    }
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
    if (this.#plan.trip?.(counts) || this.#ratio?.isExceeded(nowMs)) this.#open(nowMs, whyOpened(counts, this.#plan));
  }

  #open(nowMs: number, why: string): void {
    const { openMs } = this.#plan;
    this.#ratio?.clear();
    this.#become({ kind: 'open', untilMs: nowMs + openMs });
    this.#tell?.({ to: 'open', forMs: openMs, why });
  }
}

function whyOpened({ consecutiveFailures, totalFailures, requests }: Counts, { ratio }: BreakerPlan): string {
  const counts = `${totalFailures} of ${requests} calls failed, the last ${consecutiveFailures} in a row`;
  return ratio === undefined ? counts : `${counts}; no more than ${ratio.percent}% in ${ratio.windowMs} ms may`;
}

function closed({ intervalMs }: BreakerPlan, nowMs: number): State {
  return {
    kind: 'closed',
    counts: { requests: 0, totalSuccesses: 0, totalFailures: 0, consecutiveSuccesses: 0, consecutiveFailures: 0 },
    newCountsAtMs: intervalMs === 0 ? Number.POSITIVE_INFINITY : nowMs + intervalMs,
  };
}
