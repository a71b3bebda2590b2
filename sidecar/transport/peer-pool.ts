// The connections to peers, one per address and expected SPIFFE ID: an address that passed to another app is a stranger.
import { fault } from '../../api/fault.ts';
import { type Identity, spiffeId } from '../../api/ids.ts';
import type { Endpoint } from '../resolve/resolver.ts';
import { PeerConnection, type PeerConnectionDeps } from './peer-connection.ts';

export class PeerPool {
  readonly #deps: PeerConnectionDeps;
  /** The one that takes new calls, per key. */
  readonly #current = new Map<string, PeerConnection>();
  /** All that are not closed, with the retired ones whose last streams live on. */
  readonly #open = new Set<PeerConnection>();

  constructor(deps: PeerConnectionDeps) {
    this.#deps = deps;
  }

  connection(endpoint: Endpoint, expected: Identity): PeerConnection {
    const key = `${endpoint.host}:${endpoint.port} ${spiffeId(expected)}`;
    const known = this.#current.get(key);
    if (known?.isUsable) return known;
    this.#forgetClosed();
    const fresh = new PeerConnection(endpoint, expected, this.#deps);
    this.#current.set(key, fresh);
    this.#open.add(fresh);
    return fresh;
  }

  /** Closes every connection; calls that are still open end with a fault. */
  close(): void {
    for (const connection of this.#open) connection.destroy(fault('draining', 'this sidecar is stopping.'));
    this.#current.clear();
    this.#open.clear();
  }

  /** Done whenever one is made: peers come and go, and the pool holds no more than there are. */
  #forgetClosed(): void {
    for (const [key, connection] of this.#current) if (!connection.isUsable) this.#current.delete(key);
    for (const connection of this.#open) if (connection.isClosed) this.#open.delete(connection);
  }
}
