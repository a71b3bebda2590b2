// Opens a try of a call: asks the breaker of its route, and picks the endpoint that it goes to.
import { isGrpcCall, type OutboundCall } from '../../api/call.ts';
import type { Fault } from '../../api/fault.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Upstream } from '../resolve/resolver.ts';
import { breakerOpen, noEndpoint } from './call-faults.ts';
import type { Retries } from './retries.ts';
import { pickRequest, type TargetState } from './targets.ts';
import { Trial, type TrialHost } from './trial.ts';

/** The call that is tried. */
export interface TriedCall extends TrialHost {
  readonly call: OutboundCall;
  readonly random: Random;
  /** What came of the tries before; undefined: none has failed. */
  readonly failed: Retries | undefined;
}

/** Or why there is none. */
export function openTrial(
  run: TriedCall,
  upstream: Upstream,
  target: TargetState,
  nowMs: number,
  number: number,
): Trial | Fault {
  const { call, route, failed } = run;
  const breaker = target.breakers.of(route, call.path, nowMs);
  const pass = breaker?.admit(nowMs) ?? NO_BREAKER;
  if (breaker !== undefined && pass === REFUSED) {
    target.watch.breakerRefused(route);
    return breakerOpen(call, route, breaker.retryAfterMs(nowMs), run.random);
  }
  target.pool.update(upstream.endpoints(), nowMs);
  const member = target.pool.pick(nowMs, pickRequest(call, target, failed?.tried));
  if (member === undefined) {
    breaker?.done(pass, 'unknown', nowMs);
    return failed?.lastFault ?? noEndpoint(upstream);
  }
  const trial = new Trial(run, isGrpcCall(call), upstream, target, member, nowMs, number);
  if (breaker !== undefined) trial.letThrough(breaker, pass);
  return trial;
}

/** What `Breaker.admit` gives. */
const REFUSED = 0;
const NO_BREAKER = 0;
