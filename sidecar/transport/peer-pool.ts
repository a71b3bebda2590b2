// The connections to peers, one per address and expected SPIFFE ID: an address that passed to another app is a stranger.
import { fault } from '../../api/fault.ts';
import { spiffeId, type Target, type TrustDomain } from '../../api/ids.ts';
import type { Endpoint } from '../resolve/resolver.ts';
import { PeerConnection, type PeerConnectionDeps } from './peer-connection.ts';

export interface PeerPoolDeps extends PeerConnectionDeps {
  /** Whoever is called is of our own. */
  readonly trustDomain: TrustDomain;
}

/** Those that take new calls: one, or more where one could not hold all the calls at once. */
interface Peer {
  connections: readonly PeerConnection[];
}

export class PeerPool {
  readonly #deps: PeerPoolDeps;
  readonly #peers = new Map<string, Peer>();
  /** All that are not closed, with the retired ones whose last streams live on. */
  readonly #open = new Set<PeerConnection>();
  /**
   * What a call finds its peer by. Endpoint and target are the same objects from call to call, and a key made of their
   * names would cost each call as much as its balancing does.
   */
  readonly #byEndpoint = new WeakMap<Endpoint, { readonly target: Target; readonly peer: Peer }>();

  constructor(deps: PeerPoolDeps) {
    this.#deps = deps;
  }

  connection(endpoint: Endpoint, target: Target): PeerConnection {
    const found = this.#byEndpoint.get(endpoint);
    const known = found?.target === target ? found.peer : this.#peer(endpoint, target);
    return known.connections.find(hasRoom) ?? this.#connect(known, endpoint, target);
  }

  /** Closes every connection; calls that are still open end with a fault. */
  close(): void {
    for (const connection of this.#open) connection.destroy(fault('draining', 'this sidecar is stopping.'));
    this.#peers.clear();
    this.#open.clear();
  }

  #peer(endpoint: Endpoint, target: Target): Peer {
    const key = `${endpoint.host}:${endpoint.port} ${spiffeId({ ...target, trustDomain: this.#deps.trustDomain })}`;
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      this.#forgetUnused();
      peer = { connections: [] };
      this.#peers.set(key, peer);
    }
    this.#byEndpoint.set(endpoint, { target, peer });
    return peer;
  }

  #connect(peer: Peer, endpoint: Endpoint, target: Target): PeerConnection {
    const { app, namespace } = target;
    const { trustDomain } = this.#deps;
    const fresh = new PeerConnection(endpoint, { app, namespace, trustDomain }, this.#deps);
    peer.connections = [...peer.connections.filter(({ isUsable }) => isUsable), fresh];
    for (const connection of this.#open) if (connection.isClosed) this.#open.delete(connection);
    this.#open.add(fresh);
    return fresh;
  }

  /** Done whenever one is new: peers come and go, and the pool holds no more than there are. */
  #forgetUnused(): void {
    for (const [key, { connections }] of this.#peers) {
      if (!connections.some(({ isUsable }) => isUsable)) this.#peers.delete(key);
    }
  }
}

function hasRoom(connection: PeerConnection): boolean {
  return connection.hasRoom;
}
