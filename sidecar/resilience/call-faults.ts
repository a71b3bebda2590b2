// What a call is told that found nobody, or no time, in words for the caller.
import type { OutboundCall } from '../../api/call.ts';
import { calleeName } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { InFlightBounds } from '../../policy/resiliency/limits/in-flight.ts';
import { retryAfterSec } from '../../policy/resiliency/limits/retry-after.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { Upstream } from '../resolve/resolver.ts';
import { type Journey, timeSpent } from './time-spent.ts';

/** For a try whose answer nobody waits for any more. */
export const ANOTHER_TRY = fault('cancelled', 'another try is made in the place of this one.');

export function noEndpoint(upstream: Upstream): Fault {
  return fault(
    'no-endpoint',
    `${calleeName(upstream.target)} has no ready instance, so nothing was sent; try again once it has started.`,
  );
}

const WHILE = {
  queueing: 'while it waited for its turn',
  resolving: 'while its name was looked up',
  pausing: 'in a pause between two tries',
  trying: 'before it began to answer',
  replying: 'while it was answering',
  tunnel: 'after its tunnel had opened',
  done: 'after the call had ended',
} as const;

/** The deadline of the call has passed. */
export function late({ target }: OutboundCall, phase: keyof typeof WHILE, journey: Journey): Fault {
  const when = `the deadline passed ${WHILE[phase]}`;
  return fault('timeout', `${calleeName(target)} did not answer in time: ${when} (${timeSpent(journey)}).`);
}

/** The time of one try has. */
export function lateTry({ target }: OutboundCall, timeoutMs: number, journey: Journey): Fault {
  const bound = `within the ${timeoutMs} ms that a Resiliency gives each try`;
  return fault('timeout', `${calleeName(target)} did not begin to answer ${bound} (${timeSpent(journey)}).`);
}

/** The words `circuit breaker is open` are Dapr's, which programs look for. */
export function breakerOpen(
  { target }: OutboundCall,
  { name }: RoutePlan,
  waitMs: number,
  random: () => number,
): Fault {
  const about = name === undefined ? calleeName(target) : `route ${name} of ${calleeName(target)}`;
  return {
    ...fault(
      'breaker-open',
      `circuit breaker is open: too many calls to ${about} failed lately, so nothing was sent; try again later. A Resiliency says so.`,
    ),
    retryAfterSec: retryAfterSec(waitMs, random),
  };
}

/** `waitedMs`: undefined where there was no room to wait either. */
export function limitReached(
  { target }: OutboundCall,
  { limit, queueSize }: InFlightBounds,
  waitedMs: number | undefined,
  random: () => number,
): Fault {
  const name = calleeName(target);
  const why =
    waitedMs === undefined
      ? `${queueSize} more wait for their turn`
      : `this one has waited for its turn for ${waitedMs} ms`;
  return {
    ...fault(
      'limit-reached',
      `${limit} calls to ${name} are under way from here, which is as many as may be, and ${why}; nothing was sent. Try again later. A Resiliency says so.`,
    ),
    retryAfterSec: retryAfterSec(RETRY_MS, random),
  };
}

/** Nobody knows when there will be room. */
const RETRY_MS = 1000;
