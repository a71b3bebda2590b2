// Names from a list that was given at the start: for a handful of machines that never move. It announces nothing.
import type { Target } from '../../api/ids.ts';
import { isSameTarget } from '../../api/ids.ts';
import type { StaticPeer } from '../config.ts';
import { givenList, unknownApp } from './absent.ts';
import type { Names, Resolution } from './resolver.ts';

export function openStaticList(peers: readonly StaticPeer[]): Names {
  return {
    resolve: (target) => find(target, peers),
    announce: () => ({ setReady: () => undefined, withdraw: () => undefined }),
    close: () => undefined,
  };
}

function find(target: Target, peers: readonly StaticPeer[]): Resolution {
  const addresses = peers.filter((peer) => isSameTarget(peer.target, target)).flatMap((peer) => peer.addresses);
  if (addresses.length > 0) return { kind: 'found', upstream: { target, endpoints: () => addresses } };
  const known = peers.map((peer) => peer.target);
  return { kind: 'absent', fault: unknownApp(target, known, givenList) };
}
