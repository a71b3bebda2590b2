// What a call is told that found nobody, or no time, in words for the caller.
import type { OutboundCall } from '../../api/call.ts';
import { calleeName } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import { retryAfterSec } from '../../policy/resiliency/limits/retry-after.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { Upstream } from '../resolve/resolver.ts';
import type { FailedTry, Retries } from './retries.ts';

/** For a try whose answer nobody waits for any more. */
export const ANOTHER_TRY = fault('cancelled', 'another try is made in the place of this one.');

export function noEndpoint(upstream: Upstream): Fault {
  return fault(
    'no-endpoint',
    `${calleeName(upstream.target)} has no ready instance, so nothing was sent; try again once it has started.`,
  );
}

const WHILE = {
  resolving: 'while its name was looked up',
  pausing: 'in a pause between two tries',
  trying: 'before it began to answer',
  replying: 'while it was answering',
  tunnel: 'after its tunnel had opened',
  done: 'after the call had ended',
} as const;

export function late(
  { target }: OutboundCall,
  phase: keyof typeof WHILE,
  retries: Retries | undefined,
  tookMs: number,
): Fault {
  const spent = spentOn(retries?.history ?? [], tookMs);
  return fault('timeout', `${calleeName(target)} did not answer in time: the deadline passed ${WHILE[phase]}${spent}.`);
}

export function lateTry({ target }: OutboundCall, timeoutMs: number, retries: Retries | undefined): Fault {
  const history = retries?.history ?? [];
  const spent = spentOn(
    history,
    history.reduce((sum, { tookMs, pauseMs }) => sum + tookMs + pauseMs, timeoutMs),
  );
  const message = `${calleeName(target)} did not begin to answer within the ${timeoutMs} ms that a Resiliency gives each try${spent}.`;
  return fault('timeout', message);
}

/** Try by try; of one alone there is nothing to tell. */
function spentOn(history: readonly FailedTry[], wholeMs: number): string {
  if (history.length === 0) return '';
  const before = history.reduce((sum, { tookMs, pauseMs }) => sum + tookMs + pauseMs, 0);
  const tries = history.map(
    ({ tookMs, outcome, pauseMs }, at) =>
      `try ${at + 1} ended after ${ms(tookMs)} with ${ending(outcome)}${pauseMs > 0 ? `, then a pause of ${ms(pauseMs)}` : ''}`,
  );
  return ` (${[...tries, `the rest took ${ms(wholeMs - before)}`].join('; ')})`;
}

function ending(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'answer':
      return outcome.protocol === 'http' ? `status ${outcome.status}` : `gRPC status ${outcome.status}`;
    case 'fault':
      return outcome.code;
    case 'try-timeout':
      return 'no answer in its time';
  }
}

function ms(amount: number): string {
  return `${Math.max(0, Math.round(amount))} ms`;
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
