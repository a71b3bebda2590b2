// The connections to outside services: a small pool for each origin, and for each named endpoint one of its own, because its
// connections carry a client certificate or trust an authority that is nobody else's.
import type { SecureContext } from 'node:tls';
import type { Clock } from '../../kit/clock.ts';
import { ok, type Result } from '../../kit/result.ts';
import { Http1Pool, type Http1PoolLimits } from '../link/http1-pool.ts';
import { type ConnectDeps, connectOutside, type Destination, type NotConnected } from './connect.ts';

export type OutsidePool = Http1Pool<NotConnected>;

/**
 * Few servers close a kept connection sooner than after five seconds. A new connection over TLS is dear, so it idles longer
 * than one to the app.
 */
const LIMITS: Http1PoolLimits = { connectionsMax: 256, idleMax: 16, idleMsMax: 4000 };
/** Callers write hosts, so there may be any number of them: pools that are empty make room. */
const POOLS_MAX = 1000;
const STOPPING: NotConnected = { kind: 'unreachable', cause: 'this sidecar is stopping' };

interface Kept {
  readonly pool: OutsidePool;
  /** A pool that was made with other secrets, or under other rules, is replaced. */
  readonly version: string;
}

export interface PoolWanted extends Omit<Destination, 'secureContext'> {
  /** What may share connections. */
  readonly key: string;
  /** By what else it was made: connections of another version are used no more. */
  readonly version: string;
  /** Made once for each pool. */
  readonly secureContext: () => Result<SecureContext | undefined>;
}

export class OutsidePools {
  readonly #deps: ConnectDeps;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  /** Replaced, with calls that are still to end. */
  readonly #leaving = new Set<OutsidePool>();

  constructor(deps: ConnectDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
  }

  /** Undefined: so many places are called at once that there is no room for another. */
  get(wanted: PoolWanted): Result<OutsidePool | undefined> {
    const kept = this.#kept.get(wanted.key);
    if (kept?.version === wanted.version) return ok(kept.pool);
    if (kept === undefined && this.#kept.size >= POOLS_MAX) this.#forgetEmpty();
    if (kept === undefined && this.#kept.size >= POOLS_MAX) return ok(undefined);
    const secureContext = wanted.secureContext();
    if (!secureContext.ok) return secureContext;
    const pool = this.#open({ ...wanted, secureContext: secureContext.value });
    if (kept !== undefined) this.#retire(kept.pool);
    this.#kept.set(wanted.key, { pool, version: wanted.version });
    return ok(pool);
  }

  /** Breaks off everything. */
  destroy(): void {
    for (const pool of this.#leaving) pool.destroy();
    for (const { pool } of this.#kept.values()) pool.destroy();
    this.#leaving.clear();
    this.#kept.clear();
  }

  #open(destination: Destination): OutsidePool {
    const connector = {
      authority: destination.origin.authority,
      connect: (done: Parameters<typeof connectOutside>[2]) => connectOutside(destination, this.#deps, done),
      closing: STOPPING,
    };
    return new Http1Pool(connector, this.#clock, LIMITS);
  }

  #retire(pool: OutsidePool): void {
    for (const left of this.#leaving) if (left.isEmpty) this.#leaving.delete(left);
    if (!pool.isEmpty) this.#leaving.add(pool);
  }

  #forgetEmpty(): void {
    for (const [key, { pool }] of this.#kept) if (pool.isEmpty) this.#kept.delete(key);
  }
}
