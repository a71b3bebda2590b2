// The connections to peers, one per address and expected SPIFFE ID: an address that passed to another app is a stranger.
import { fault } from '../../api/fault.ts';
import { type Identity, spiffeId } from '../../api/ids.ts';
import type { Endpoint } from '../resolve/resolver.ts';
import { PeerConnection, type PeerConnectionDeps } from './peer-connection.ts';

export class PeerPool {
  readonly #deps: PeerConnectionDeps;
  /** Those that take new calls, per key: one, or more where one could not hold all the calls at once. */
  readonly #current = new Map<string, PeerConnection[]>();
  /** All that are not closed, with the retired ones whose last streams live on. */
  readonly #open = new Set<PeerConnection>();

  constructor(deps: PeerConnectionDeps) {
    this.#deps = deps;
  }

  connection(endpoint: Endpoint, expected: Identity): PeerConnection {
    const key = `${endpoint.host}:${endpoint.port} ${spiffeId(expected)}`;
    const known = this.#current.get(key);
    const free = known?.find(hasRoom);
    if (free !== undefined) return free;
    const fresh = new PeerConnection(endpoint, expected, this.#deps);
    this.#current.set(key, [...(known ?? []), fresh]);
    this.#open.add(fresh);
    this.#forgetUnusable();
    return fresh;
  }

  /** Closes every connection; calls that are still open end with a fault. */
  close(): void {
    for (const connection of this.#open) connection.destroy(fault('draining', 'this sidecar is stopping.'));
    this.#current.clear();
    this.#open.clear();
  }

  /** Done whenever one is made: peers come and go, and the pool holds no more than there are. */
  #forgetUnusable(): void {
    for (const [key, connections] of this.#current) {
      const usable = connections.filter(({ isUsable }) => isUsable);
      if (usable.length === 0) this.#current.delete(key);
      else if (usable.length < connections.length) this.#current.set(key, usable);
    }
    for (const connection of this.#open) if (connection.isClosed) this.#open.delete(connection);
  }
}

function hasRoom(connection: PeerConnection): boolean {
  return connection.hasRoom;
}
