// Names from a list that was given at the start: for a handful of machines that never move. It announces nothing.
import { type Target, targetName } from '../../api/ids.ts';
import type { StaticPeer } from '../config.ts';
import { givenList, unknownApp } from './absent.ts';
import type { Endpoint, Names, Resolved } from './resolver.ts';

export function openStaticList(peers: readonly StaticPeer[]): Names {
  const listed = readList(peers);
  const known = peers.map((peer) => peer.target);
  return {
    resolve: (target) => listed.get(targetName(target)) ?? absent(target, known),
    announce: () => ({ setReady: () => undefined, withdraw: () => undefined }),
    close: () => undefined,
  };
}

/** The answer for each name, made once. A name may be there more than once, each time with further addresses. */
function readList(peers: readonly StaticPeer[]): ReadonlyMap<string, Resolved> {
  const addressesOf = new Map<string, { readonly target: Target; readonly addresses: Endpoint[] }>();
  for (const { target, addresses } of peers) {
    const listed = addressesOf.get(targetName(target));
    if (listed !== undefined) listed.addresses.push(...addresses);
    else addressesOf.set(targetName(target), { target, addresses: [...addresses] });
  }
  const answers = new Map<string, Resolved>();
  for (const [name, { target, addresses }] of addressesOf) {
    if (addresses.length > 0) answers.set(name, { kind: 'found', upstream: { target, endpoints: () => addresses } });
  }
  return answers;
}

function absent(target: Target, known: readonly Target[]): Resolved {
  return { kind: 'absent', fault: unknownApp(target, known, givenList) };
}
