// What limits are given by the rest of the sidecar, and whom they tell.
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import type { NoTurn } from '../link/turn-call.ts';

/** Hears what is turned away, and how the limits stand; see admin/call-metrics.ts. */
export interface LimitWatch {
  turnedAway(why: 'rate' | NoTurn): void;
  /** How many calls may be under way; undefined: as many as come. */
  limitIs(limit: number | undefined): void;
  waiting(count: number): void;
}

export interface LimitsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly watch: LimitWatch;
  /** How many calls are under way that nobody has counted; `ended` is called as each of them ends. */
  readonly underWay: (ended: () => void) => number;
}
