// The feed: each sidecar hears of the policies that concern it, and of the endpoints of the apps that it calls. Every replica
// serves it, leader or not.
import type { Identity } from '../../api/ids.ts';
import type { AuditDenials } from '../../api/proto/feed-audits.ts';
import type { Credentials } from '../../identity/svid.ts';
import { type Clock, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { Numbers } from '../../kit/metrics.ts';
import { ok, type Result } from '../../kit/result.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import type { Kube } from '../../kube/kube.ts';
import type { Claims } from '../claims.ts';
import type { OperatorConfig } from '../config.ts';
import type { ServingPart } from '../serving-part.ts';
import type { Stores } from '../stores.ts';
import { allowances } from './allowance.ts';
import { catchUpWith } from './catch-up.ts';
import { versionedStores } from './config.ts';
import { Epoch } from './epoch.ts';
import { Hub } from './hub.ts';
import { startFeedServer } from './server.ts';
import { serveStream } from './stream.ts';

export interface FeedOptions {
  readonly stores: Stores;
  /** Of those stores. */
  readonly claims: Claims;
  readonly credentials: Snapshot<Credentials | undefined>;
  /** PEM, from `stores.trustBundles`: looked at again when that ConfigMap of our namespace changes. */
  readonly trustAnchors: () => Buffer | undefined;
  readonly config: Pick<OperatorConfig, 'namespace' | 'trustDomain' | 'defaultAccess'> & {
    readonly ports: Pick<OperatorConfig['ports'], 'feed'>;
  };
  /** What a sidecar, known by its certificate, tells of policies in audit mode. */
  readonly heard: (self: Identity, reports: readonly AuditDenials[]) => void;
  readonly kube: Pick<Kube, 'get' | 'create' | 'replace'>;
  readonly clock: Clock;
  readonly log: Log;
  /** `::` by default: every address of both families. */
  readonly host?: string;
}

/** A newer epoch is looked for when a sidecar knows one, too. */
const REREAD_EPOCH_MS = 60_000;

/** Stopping, it sends every sidecar elsewhere. */
export async function startFeed(options: FeedOptions): Promise<Result<ServingPart>> {
  const { stores, credentials, config, kube, clock, log } = options;
  const metrics = createMetrics();
  const epoch = new Epoch({ kube, namespace: config.namespace, clock, log });
  const { namespace, defaultAccess } = config;
  const hub = new Hub({ ...options, namespace, defaultAccess, epoch: () => epoch.current() });
  const synced = followSync(stores);
  const catchUp = catchUpWith({ stores: versionedStores(stores), synced: synced.promise, epoch, clock });
  const allowanceOf = allowances(clock);
  const server = await startFeedServer({
    ...{ credentials, clock, log, trustDomain: config.trustDomain },
    listen: { host: options.host ?? '::', port: config.ports.feed },
    serve: (call, self, streamLog) =>
      serveStream(call, self, {
        ...{ hub, catchUp, clock, log: streamLog, sent: metrics.sent },
        heard: (reports) => options.heard(self, reports),
        allowance: allowanceOf(self.namespace),
      }),
    changed: metrics.streams,
  });
  const cancelReread = every(clock, REREAD_EPOCH_MS, () => void epoch.reread());
  async function stop(): Promise<void> {
    cancelReread();
    if (server.ok) await server.value.stop();
    hub.stop();
  }
  if (!server.ok) {
    await stop();
    return server;
  }
  const port = server.value.address?.port ?? config.ports.feed;
  log.info('feed: serving sidecars', { port });
  return ok({
    port,
    families: metrics.families,
    unready() {
      if (credentials.current() === undefined) return 'the feed has no certificate from the sentry yet';
      if (!synced.isSettled()) return 'the feed waits for the first list of what it watches';
      return hub.trustAnchors() === undefined ? 'no trust anchors are published yet' : undefined;
    },
    stop,
  });
}

function followSync(stores: Stores): { readonly promise: Promise<void>; isSettled(): boolean } {
  const needed = [...versionedStores(stores).values(), ...[stores.pods, stores.nodes], ...stores.workloads];
  let isSettled = false;
  const promise = Promise.all(needed.map(({ synced }) => synced)).then(() => {
    isSettled = true;
  });
  return { promise, isSettled: () => isSettled };
}

function createMetrics() {
  const streams = new Numbers('gauge', 'invoke_feed_streams', 'Sidecars that are subscribed at this replica.');
  const messages = new Numbers('counter', 'invoke_feed_messages_total', 'Messages sent to sidecars.');
  const bytes = new Numbers('counter', 'invoke_feed_sent_bytes_total', 'Bytes of those messages.');
  const [streamsSlot, messagesSlot, bytesSlot] = [streams.slot(), messages.slot(), bytes.slot()];
  return {
    families: [streams, messages, bytes],
    streams: (count: number) => streams.set(streamsSlot, count),
    sent: (byteCount: number) => {
      messages.add(messagesSlot, 1);
      bytes.add(bytesSlot, byteCount);
    },
  };
}
