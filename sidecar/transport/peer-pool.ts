// The connections to peers, one per address and expected SPIFFE ID: an address that passed to another app is a stranger.
import { fault } from '../../api/fault.ts';
import { type Identity, spiffeId } from '../../api/ids.ts';
import type { Endpoint } from '../resolve/resolver.ts';
import { PeerConnection, type PeerConnectionDeps } from './peer-connection.ts';

export class PeerPool {
  readonly #deps: PeerConnectionDeps;
  readonly #connections = new Map<string, PeerConnection>();

  constructor(deps: PeerConnectionDeps) {
    this.#deps = deps;
  }

  connection(endpoint: Endpoint, expected: Identity): PeerConnection {
    const key = `${endpoint.host}:${endpoint.port} ${spiffeId(expected)}`;
    const known = this.#connections.get(key);
    if (known?.isUsable) return known;
    this.#dropUnusable();
    const fresh = new PeerConnection(endpoint, expected, this.#deps);
    this.#connections.set(key, fresh);
    return fresh;
  }

  /** Closes every connection; calls that are still open end with a fault. */
  close(): void {
    for (const connection of this.#connections.values())
      connection.destroy(fault('draining', 'this sidecar is stopping.'));
    this.#connections.clear();
  }

  #dropUnusable(): void {
    for (const [key, connection] of this.#connections) {
      if (!connection.isUsable) this.#connections.delete(key);
    }
  }
}
