// Names on a local network.
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, type Result } from '../../kit/result.ts';
import type { Names } from './resolver.ts';

export interface MdnsOptions {
  /** The address of the network interface to speak on; undefined leaves the choice to the system. */
  readonly interfaceAddress: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export async function openMdns(_options: MdnsOptions): Promise<Result<Names>> {
  return err('names by mDNS are not served by this version');
}
