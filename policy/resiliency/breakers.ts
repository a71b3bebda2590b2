// The breakers of one target: one for each of its routes, and outside of routes one for each operation, as in Dapr, of which the
// least lately used are forgotten. Nothing is kept where no policy asks for a breaker.
import { Breaker } from './breaker.ts';
import type { BreakerPlan, RoutePlan } from './plan.ts';
import { type BreakerState, type BreakersWatch, NOBODY } from './watch.ts';

/** One of them, for whoever looks on. */
export interface BreakerReading {
  /** Undefined: calls outside of routes, of this path. */
  readonly route: string | undefined;
  readonly path: string | undefined;
  readonly state: BreakerState;
  /** How long it goes on to refuse. */
  readonly refusesForMs: number;
}

export class Breakers {
  readonly #watch: BreakersWatch;
  readonly #byRoute = new Map<RoutePlan, Breaker>();
  /** The least lately used first. */
  readonly #byPath = new Map<string, Breaker>();

  constructor(watch: BreakersWatch = NOBODY) {
    this.#watch = watch;
  }

  of(route: RoutePlan, path: string, nowMs: number): Breaker | undefined {
    const plan = route.breaker;
    if (plan === undefined) return undefined;
    if (route.name !== undefined) {
      const known = this.#byRoute.get(route);
      if (known !== undefined) return known;
      const fresh = this.#open(plan, route, path, nowMs);
      this.#byRoute.set(route, fresh);
      return fresh;
    }
    const breaker = this.#byPath.get(path) ?? this.#open(plan, route, path, nowMs);
    this.#byPath.delete(path);
    this.#byPath.set(path, breaker);
    if (this.#byPath.size > plan.operationsMax) this.#forgetOldest();
    return breaker;
  }

  #open(plan: BreakerPlan, route: RoutePlan, path: string, nowMs: number): Breaker {
    return new Breaker(plan, nowMs, (change) => this.#watch.breakerBecame(route, path, change));
  }

  /** For whoever looks on: nothing changes by asking. */
  *readings(nowMs: number): Generator<BreakerReading> {
    for (const [{ name }, breaker] of this.#byRoute) yield reading(breaker, nowMs, name, undefined);
    for (const [path, breaker] of this.#byPath) yield reading(breaker, nowMs, undefined, path);
  }

  #forgetOldest(): void {
    const oldest = this.#byPath.keys().next();
    if (!oldest.done) this.#byPath.delete(oldest.value);
  }
}

function reading(breaker: Breaker, nowMs: number, route: string | undefined, path: string | undefined): BreakerReading {
  return { route, path, state: breaker.stateAt(nowMs), refusesForMs: breaker.retryAfterMs(nowMs) };
}
