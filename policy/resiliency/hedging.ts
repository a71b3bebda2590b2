// A second try before the first has failed: whether there may be one, and when. It goes to an instance that the call has not
// asked yet, is paid for by the retry budget, and the first answer of all counts.
import type { RoutePlan } from './plan.ts';
import { isIdempotent, type RetriedCall } from './retry.ts';

/** From the begin of the last try; undefined: not at all. `extra`: how many extra tries are under way already. */
export function hedgeAfterMs(route: RoutePlan, call: RetriedCall, extra: number): number | undefined {
  const { hedging } = route;
  if (hedging === undefined || extra >= hedging.maxExtra || !isIdempotent(call, route)) return undefined;
  return hedging.delayMs;
}
