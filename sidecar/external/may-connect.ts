// To which addresses the name of an outside service may lead. Public ones always; those of the own network where somebody has
// named the host; and what is only for programs of this machine, its link or its cloud where the list has that very address.
import { isIP } from 'node:net';
import type { ExternalPattern } from '../../api/external-pattern.ts';
import { type Origin, ownPort } from '../../api/origin.ts';
import type { Reach } from '../authorize/external.ts';
import { type AddressClass, isSameAddress } from './address-class.ts';

export function mayConnect(
  { scheme, port }: Origin,
  reach: Reach,
  allowed: readonly ExternalPattern[],
): (address: string, kind: AddressClass) => boolean {
  const listed = allowed.filter((pattern) => pattern.kind === 'host' && (pattern.port ?? ownPort(scheme)) === port);
  const isListed = (address: string, kind: AddressClass) =>
    listed.some(({ host }) => {
      if (host === 'localhost') return kind === 'loopback';
      return isIP(host) !== 0 && isSameAddress(host, address);
    });
  return (address, kind) => kind === 'public' || (kind === 'private' && reach === 'private') || isListed(address, kind);
}
