// What the sidecars of one namespace may ask of a replica, all together. Whoever may create pods in a namespace gets
// certificates there, as many as pods, and must not be able to take a replica from all others: its webhooks serve the cluster.
import type { Namespace } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';

/** Apps whose endpoints are wanted at once. Each holds about a kilobyte. */
export const WANTED_MAX = 50_000;
/** Apps named in requests: so many at once, for when all come back together, and then so many a second. */
export const NAMED_AT_ONCE = 50_000;
export const NAMED_PER_SEC = 5000;
/** A request that names nothing is some work, too. */
const BYTES_PER_NAME = 128;

export interface Allowance {
  /** Whether so many apps may be wanted by somebody who wanted `before`. */
  want(before: number, now: number): boolean;
  /** Counts a request that was read. */
  charge(named: number, bytes: number): void;
  /** How long the next request has to wait. */
  waitMs(): number;
}

export function allowances(clock: Clock): (namespace: Namespace) => Allowance {
  const known = new Map<Namespace, Allowance>();
  return (namespace) => {
    const allowance = known.get(namespace) ?? createAllowance(clock);
    known.set(namespace, allowance);
    return allowance;
  };
}

function createAllowance(clock: Clock): Allowance {
  let wanted = 0;
  let left = NAMED_AT_ONCE;
  let atMs = clock.elapsed();
  const refill = () => {
    const nowMs = clock.elapsed();
    left = Math.min(NAMED_AT_ONCE, left + ((nowMs - atMs) / 1000) * NAMED_PER_SEC);
    atMs = nowMs;
  };
  return {
    want(before, now) {
      // Less is always granted.
      if (now > before && wanted - before + now > WANTED_MAX) return false;
      wanted += now - before;
      return true;
    },
    charge(named, bytes) {
      refill();
      left -= Math.max(named, bytes / BYTES_PER_NAME);
    },
    waitMs() {
      refill();
      return left >= 0 ? 0 : Math.ceil((-left / NAMED_PER_SEC) * 1000);
    },
  };
}
