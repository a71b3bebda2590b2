// Limits of calls to the own app, joined: what a Resiliency says of them, what is under way, and who counts what is turned away.
import type { Random } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Snapshot } from '../kit/snapshot.ts';
import type { Inbound } from '../policy/resiliency/inbound.ts';
import type { CallMetrics } from './admin/call-metrics.ts';
import { Limits } from './limit/limits.ts';
import type { Flights } from './way/flights.ts';

export interface InboundLimitsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: CallMetrics;
  readonly flights: Flights;
}

export function openLimits(inbound: Snapshot<Inbound>, { clock, random, metrics, flights }: InboundLimitsDeps): Limits {
  const underWay = (ended: () => void) => flights.watchOpen('inbound', ended);
  const limits = new Limits({ clock, random, watch: metrics.inboundLimits, underWay });
  limits.use(inbound.current());
  inbound.changed((next) => limits.use(next));
  return limits;
}
