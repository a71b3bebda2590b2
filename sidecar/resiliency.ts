// Policies of resilience, joined: where the objects come from, what plans they make, and who goes by those. Plans are made when
// objects change, and never for a call.
import { isExternal } from '../api/external.ts';
import type { Identity } from '../api/ids.ts';
import type { Random } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { derived, type Snapshot, snapshot } from '../kit/snapshot.ts';
import { compileOutbound } from '../policy/resiliency/compile.ts';
import { compileInbound, type Inbound } from '../policy/resiliency/inbound.ts';
import { BUILT_IN } from '../policy/resiliency/plan.ts';
import { conflictMessage, type PlacedResiliency, settleFor } from '../policy/resiliency/settle.ts';
import { ResilienceLog } from './admin/resilience-log.ts';
import { type ResilienceState, resilienceState } from './admin/resilience-state.ts';
import { ResilienceWatch } from './admin/resilience-watch.ts';
import type { SidecarConfig } from './config.ts';
import type { FeedClient } from './feed/feed.ts';
import { ownAddresses } from './machine.ts';
import { resilienciesFromFeed } from './resilience/from-feed.ts';
import { findOwnZone } from './resilience/own-zone.ts';
import { type PlanFor, Targets } from './resilience/targets.ts';

export interface ResiliencyDeps {
  readonly self: Identity;
  /** Undefined where there is no operator. */
  readonly feed: FeedClient | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Resiliency {
  readonly targets: Targets;
  /** For calls to the own app. */
  readonly inbound: Snapshot<Inbound>;
  /** The objects that this sidecar goes by, the older ones first. */
  names(): readonly string[];
  /** What of this there is to count, as Prometheus reads it. */
  metrics(): string;
  /** How things stand, for people. */
  state(): ResilienceState;
}

export function openResiliency(
  { resiliencies, ownAddresses: addresses = ownAddresses() }: Pick<SidecarConfig, 'resiliencies' | 'ownAddresses'>,
  { self, feed, clock, random, log }: ResiliencyDeps,
): Resiliency {
  const objects: Snapshot<readonly PlacedResiliency[]> =
    feed === undefined ? (resiliencies ?? snapshot([])) : resilienciesFromFeed(feed.config, log);
  const plans = () => plansOf(objects.current(), self, log);
  const watch = new ResilienceWatch(new ResilienceLog(log, clock));
  const targets = new Targets(plans(), random, clock, (target) => watch.of(target));
  if (feed !== undefined)
    findOwnZone(feed, { app: self, addresses }, (zone) => {
      targets.setZone(zone);
      log.info('this pod is in a zone, which calls stay in where that is of use', { zone });
    });
  objects.changed(() => {
    targets.replan(plans(), clock.elapsed());
    log.info('the policies of resilience for this app have changed');
  });
  return {
    targets,
    inbound: derived(objects, (all) => compileInbound(self, all)),
    names: () => settleFor(self, objects.current()).accepted.map(({ name }) => name),
    metrics: () => watch.render(targets, clock.elapsed()),
    state: () => resilienceState(targets, clock.elapsed()),
  };
}

function plansOf(objects: readonly PlacedResiliency[], own: Identity, log: Log): PlanFor {
  const { planFor, problems } = compileOutbound(own, objects);
  for (const problem of problems) log.error(problem);
  for (const conflict of settleFor(own, objects).conflicts)
    log.warn(`Resiliency "${conflict.loser.name}" is not in effect: ${conflictMessage(conflict)}`);
  // What is outside of the mesh has no instances here, and no policy speaks of it.
  return (target) => (isExternal(target) ? BUILT_IN : planFor(target));
}
