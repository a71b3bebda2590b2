// How long a peer connection takes new calls.
import type { Random } from '../../kit/backoff.ts';

/**
 * Half of what the shorter certificate has left, ± 20 %, so that every connection is made anew under the renewed
 * certificate, well before the old one ends, and not all at once.
 */
export function retireAfterMs(notAfter: number, now: number, random: Random): number {
  return Math.max(0, ((notAfter - now) / 2) * (0.8 + 0.4 * random()));
}
