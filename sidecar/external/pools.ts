// The connections to outside services: a small pool for each origin, and for each named endpoint one of its own, because its
// connections carry a client certificate or trust an authority that is nobody else's.
import type { SecureContext } from 'node:tls';
import { ok, type Result } from '../../kit/result.ts';
import { Http1Pool, type Http1PoolLimits } from '../link/http1-pool.ts';
import { Http2Pool, type Http2PoolLimits } from '../link/http2-pool.ts';
import { type ConnectDeps, connectOutside, type Destination, type NotConnected } from './connect.ts';

export type OutsideHttp1Pool = Http1Pool<NotConnected>;
export type OutsideHttp2Pool = Http2Pool<NotConnected>;

/**
 * Few servers close a kept connection sooner than after five seconds. A new connection over TLS is dear, so it idles longer
 * than one to the app.
 */
const HTTP1_LIMITS: Http1PoolLimits = { connectionsMax: 256, idleMax: 16, idleMsMax: 4000 };
/** None stays when it is idle: whoever is between this machine and the service forgets connections that nobody uses. */
const HTTP2_LIMITS: Http2PoolLimits = { connectionsMax: 64, openMax: 256, idleMax: 0 };
/** Callers write hosts, so there may be any number of them: pools that are empty make room. */
const POOLS_MAX = 1000;
const STOPPING: NotConnected = { kind: 'unreachable', cause: 'this sidecar is stopping' };

interface Pool {
  readonly isEmpty: boolean;
  retire(): void;
  destroy(): void;
}

interface Kept<P> {
  readonly pool: P;
  /** A pool that was made with other secrets, or under other rules, is replaced. */
  readonly version: string;
}

export interface PoolWanted extends Omit<Destination, 'spoken' | 'secureContext'> {
  /** What may share connections. */
  readonly key: string;
  /** By what else it was made: connections of another version are used no more. */
  readonly version: string;
  /** Made once for each pool. */
  readonly secureContext: () => Result<SecureContext | undefined>;
}

type OpenPool<P> = (to: Omit<Destination, 'spoken'>) => P;

export function http1Pools(deps: ConnectDeps): OutsidePools<OutsideHttp1Pool> {
  return new OutsidePools(
    (to) => new Http1Pool(connector({ ...to, spoken: 'http/1.1' }, deps), deps.clock, HTTP1_LIMITS),
  );
}

export function http2Pools(deps: ConnectDeps): OutsidePools<OutsideHttp2Pool> {
  return new OutsidePools((to) => new Http2Pool(connector({ ...to, spoken: 'h2' }, deps), deps.clock, HTTP2_LIMITS));
}

function connector(destination: Destination, deps: ConnectDeps) {
  const { authority, scheme } = destination.origin;
  const connect = (done: Parameters<typeof connectOutside>[2]) => connectOutside(destination, deps, done);
  return { authority, scheme, connect, closing: STOPPING };
}

export class OutsidePools<P extends Pool> {
  readonly #open: OpenPool<P>;
  readonly #kept = new Map<string, Kept<P>>();
  /** Replaced, with calls that are still to end. */
  readonly #leaving = new Set<P>();

  constructor(open: OpenPool<P>) {
    this.#open = open;
  }

  /** Undefined: so many places are called at once that there is no room for another. */
  get(wanted: PoolWanted): Result<P | undefined> {
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

  #retire(pool: P): void {
    pool.retire();
    for (const left of this.#leaving) if (left.isEmpty) this.#leaving.delete(left);
    if (!pool.isEmpty) this.#leaving.add(pool);
  }

  #forgetEmpty(): void {
    for (const [key, { pool }] of this.#kept) if (pool.isEmpty) this.#kept.delete(key);
  }
}
