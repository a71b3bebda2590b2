// Who may call whom, joined: where policies come from, who judges by them, who hears of it; and what is open is judged again when
// they change.
import type { Identity } from '../api/ids.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { snapshot } from '../kit/snapshot.ts';
import { watchAccess } from './admin/access-watch.ts';
import type { CallMetrics } from './admin/call-metrics.ts';
import { readyAccess } from './authorize/access.ts';
import { Authorizer } from './authorize/authorize.ts';
import { accessFromFeed } from './authorize/from-feed.ts';
import { EVERYBODY_MAY } from './authorize/resources.ts';
import type { SidecarConfig } from './config.ts';
import type { FeedClient } from './feed/feed.ts';
import type { Flights } from './way/flights.ts';
import { Rejudging } from './way/rejudging.ts';

export interface AccessDeps {
  readonly self: Identity;
  /** Undefined where there is no operator. */
  readonly feed: FeedClient | undefined;
  readonly flights: Flights;
  readonly metrics: CallMetrics;
  readonly log: Log;
  readonly clock: Clock;
}

export function openAccess({ access }: SidecarConfig, deps: AccessDeps): Authorizer {
  const { self, feed, flights, metrics, log, clock } = deps;
  const local = access ?? snapshot(EVERYBODY_MAY);
  const resources = feed === undefined ? local : accessFromFeed(feed.config, self, log);
  const ready = readyAccess(resources, self, log);
  const watch = watchAccess(self, metrics, log, clock, (by, call) => feed?.audited(by, call));
  const authorizer = new Authorizer(self, ready, watch);
  const rejudging = new Rejudging(
    () => flights.open('inbound'),
    (call) => authorizer.recall(call),
  );
  ready.changed(() => rejudging.begin());
  return authorizer;
}
