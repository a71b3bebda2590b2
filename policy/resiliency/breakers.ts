// The breakers of one target: one for each of its routes, and outside of routes one for each operation, as in Dapr, of which the
// least lately used are forgotten. Nothing is kept where no policy asks for a breaker.
import { Breaker } from './breaker.ts';
import type { RoutePlan } from './plan.ts';

export class Breakers {
  readonly #byRoute = new Map<RoutePlan, Breaker>();
  /** The least lately used first. */
  readonly #byPath = new Map<string, Breaker>();

  of(route: RoutePlan, path: string, nowMs: number): Breaker | undefined {
    const plan = route.breaker;
    if (plan === undefined) return undefined;
    if (route.name !== undefined) {
      const known = this.#byRoute.get(route);
      if (known !== undefined) return known;
      const fresh = new Breaker(plan, nowMs);
      this.#byRoute.set(route, fresh);
      return fresh;
    }
    const breaker = this.#byPath.get(path) ?? new Breaker(plan, nowMs);
    this.#byPath.delete(path);
    this.#byPath.set(path, breaker);
    if (this.#byPath.size > plan.operationsMax) this.#forgetOldest();
    return breaker;
  }

  #forgetOldest(): void {
    const oldest = this.#byPath.keys().next();
    if (!oldest.done) this.#byPath.delete(oldest.value);
  }
}
