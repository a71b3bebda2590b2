// For the tests beside it: replicas of the operator's feed and sidecars that subscribe, over real sockets, on a clock that is
// moved by hand and stores that are filled by hand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import { type Identity, parseSpiffeId, type Target } from '../../api/ids.ts';
import { APP_ID_KEY, PEER_PORT_NAME, SIDECAR_CONTAINER, TRUST_BUNDLE } from '../../api/pod.ts';
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { silentLog } from '../../kit/log.ts';
import { renderMetrics } from '../../kit/metrics.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { HeardAudits } from '../../operator/audit/heard.ts';
import { type AuditKeeper, keepAudits } from '../../operator/audit/keeper.ts';
import { followClaims } from '../../operator/claims.ts';
import { startFeed } from '../../operator/feed/feed.ts';
import type { ServingPart } from '../../operator/serving-part.ts';
import { memoryStore, memoryStores } from '../../operator/testing-stores.ts';
import { startFeed as startClient } from '../../sidecar/feed/client.ts';
import type { FeedClient } from '../../sidecar/feed/feed.ts';

const OURS = 'invoke-system';
const ca = throwawayCa();
const operator = identityOf(OURS, 'invoke-operator');

export type TestStores = ReturnType<typeof testStores>;

/** One API server's worth of a cluster: where replicas find the epoch, the clock of all, and who has to be stopped. */
export async function openMesh() {
  const api: ApiServer = await startApiServer();
  const clock = manualClock();
  const directory = mkdtempSync(join(tmpdir(), 'invoke-feed-'));
  const clients: FeedClient[] = [];
  const feeds: ServingPart[] = [];
  const keepers: AuditKeeper[] = [];

  async function startReplica(stores: TestStores, port = 0): Promise<ServingPart> {
    const anchors = () => stores.trustBundles.get(`${OURS}/${TRUST_BUNDLE}`)?.data?.anchors;
    const policies = stores.accessPolicies;
    const heard = new HeardAudits(policies, clock);
    keepers.push(keepAudits(heard, { policies, kube: api.kube, clock, random: () => 0, log: silentLog }));
    const feed = must(
      await startFeed({
        stores,
        claims: followClaims(stores),
        credentials: snapshot(ca.issue(operator)),
        trustAnchors: () => (anchors() === undefined ? undefined : Buffer.from(anchors() ?? '')),
        config: { ...operator, defaultAccess: 'allow', ports: { feed: port } },
        kube: api.kube,
        heard: (self, reports) => heard.hear(self, reports),
        clock,
        log: silentLog,
        host: '127.0.0.1',
      }),
    );
    feeds.push(feed);
    return feed;
  }

  function startSidecar(self: Identity, { port }: Pick<ServingPart, 'port'>, snapshotFile?: string): FeedClient {
    const client = startClient({
      address: { host: '127.0.0.1', port },
      ...{ operator, self, snapshotFile, clock },
      credentials: snapshot(ca.issue(self)),
      random: () => 0.5,
      log: silentLog,
      sidecarVersion: '0.0.0-test',
    });
    clients.push(client);
    return client;
  }

  return {
    ...{ api, clock, directory, startReplica, startSidecar },
    async close() {
      for (const client of clients) client.stop();
      for (const feed of feeds) await feed.stop();
      for (const keeper of keepers) await keeper.stop();
      await api.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

export function testStores() {
  return {
    ...memoryStores(),
    pods: memoryStore<V1Pod>(),
    trustBundles: memoryStore<V1ConfigMap>({
      metadata: { name: TRUST_BUNDLE, namespace: OURS },
      data: { anchors: ca.anchors.join('\n') },
    }),
    accessPolicies: memoryStore<AccessPolicy>(),
  };
}

export function identityOf(namespace: string, app: string): Identity {
  return must(parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/${app}`));
}

export function policyOf(namespace: string, name: string, apps?: string[], mode: 'enforce' | 'audit' = 'enforce') {
  const spec: AccessPolicy['spec'] = { ...(apps && { apps }), mode, default: 'deny', encodedSlash: 'both', rules: [] };
  return { metadata: { namespace, name, generation: 1 }, spec };
}

export function podOf({ namespace, app }: Target, name: string, podIP: string, ready = true): V1Pod {
  const ports = [{ name: PEER_PORT_NAME, containerPort: 50002 }];
  return {
    metadata: { namespace, name, labels: { [APP_ID_KEY]: app } },
    spec: { containers: [], initContainers: [{ name: SIDECAR_CONTAINER, ports }] },
    status: { podIP, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

/** Settles with the next config. */
export function nextConfig(client: FeedClient) {
  return new Promise<NonNullable<ReturnType<FeedClient['config']['current']>>>((done) => {
    const cancel = client.config.changed((config) => {
      cancel();
      if (config !== undefined) done(config);
    });
  });
}

/** Settles with what is next told of any app. */
export function nextEndpoints(client: FeedClient) {
  return new Promise<ReturnType<FeedClient['endpoints']>>((done) => {
    const cancel = client.changed((target) => {
      cancel();
      done(client.endpoints(target));
    });
  });
}

export function messagesSentBy(feed: ServingPart): number {
  return Number(/^invoke_feed_messages_total (\d+)$/m.exec(renderMetrics(feed.families))?.[1]);
}
