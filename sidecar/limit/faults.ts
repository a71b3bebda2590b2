// What a call is told that may not come in now, in words for the caller.
import type { Call } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { targetName } from '../../api/ids.ts';
import type { Random } from '../../kit/backoff.ts';
import type { InFlightBounds } from '../../policy/resiliency/limits/in-flight.ts';
import { retryAfterSec } from '../../policy/resiliency/limits/retry-after.ts';
import type { NoTurn } from '../link/turn-call.ts';

/** Before somebody comes again who found no room; by then some of those inside have left. */
const AGAIN_MS = 1000;

export function tooOften({ caller, target }: Call, tooSoonMs: number, random: Random): Fault {
  const afterSec = retryAfterSec(tooSoonMs, random);
  const message = `${targetName(caller)} calls ${targetName(target)} more often than a Resiliency there lets it (inbound.rateLimits); nothing of this call reached the app. Call again in ${afterSec} s, and less often.`;
  return { ...fault('rate-limited', message), retryAfterSec: afterSec };
}

export function noRoom({ target }: Call, why: NoTurn, { limit, queueSize }: InFlightBounds, random: Random): Fault {
  const name = targetName(target);
  const reason = `for it takes ${limit} at once, as a Resiliency there has it (inbound)`;
  if (why === 'past-deadline') {
    const message = `${name} did not answer in time: the deadline passed while the call waited for its turn, ${reason}. Nothing reached the app.`;
    return fault('timeout', message);
  }
  const found =
    why === 'no-room' ? `has no room for this call, ${reason}` : `had no turn for this call in time, ${reason}`;
  const queue = queueSize === 0 ? '' : `, and ${queueSize} more may wait`;
  const message = `${name} ${found}${queue}; nothing of it reached the app. Try again later, or start more instances.`;
  return { ...fault('app-busy', message), retryAfterSec: retryAfterSec(AGAIN_MS, random) };
}
