// The machine, or the pod, that this sidecar is on, as others see it.
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { ForwardedBy } from './transport/peer-head.ts';

/** This machine as X-Forwarded-For names it: the address that peers see, as far as that can be known. */
export function forwardedBy(peerListenAddress: string): ForwardedBy {
  const isWildcard = peerListenAddress === '::' || peerListenAddress === '0.0.0.0';
  const outside = ownAddresses().find((address) => isIP(address) === 4);
  return { hostName: hostname(), address: isWildcard ? (outside ?? '127.0.0.1') : peerListenAddress };
}

/** Loopback left out. */
export function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  return all.filter(({ internal }) => !internal).map(({ address }) => address);
}
