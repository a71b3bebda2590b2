// What a watched kind looks like to those who read it. Made by watch.ts.
import type { Cancel } from '../kit/clock.ts';

export interface Store<T> {
  /** By `namespace/name` (types.ts: keyOf). */
  get(key: string): T | undefined;
  all(): readonly T[];
  /**
   * The highest resourceVersion that this store has seen, as a number; 0 before the first list. It holds every change up
   * to there. Comparable between replicas of one cluster. It falls when a list shows that versions began anew (a cluster
   * restored from a backup).
   */
  version(): number;
  /** Settles once the first list is in. */
  readonly synced: Promise<void>;
  /** Milliseconds since the API server was last heard of (an event, a bookmark, an orderly end): for readiness. */
  staleMs(): number;
  /** After each change of one object: what it is now (undefined: deleted) and what it was (undefined: new). */
  changed(listener: (key: string, now: T | undefined, before: T | undefined) => void): Cancel;
  /** Lists anew from a quorum read; settles when the store has caught up with the API server of this moment. */
  relist(): Promise<void>;
  /** What did not settle by then never does. */
  stop(): void;
}
