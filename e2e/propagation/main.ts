// How long an edit of a policy takes until it holds on a connection that is open, and what many policies cost: `npm run propagation`.
//
// An API server for tests, the operator's stores and feed, and a pair of sidecars, all in this process and over real sockets. It is done
// first with one policy in one namespace, then with a thousand in fifty. The heap is that of everything together, so what counts
// is the difference between the two.
import { Agent, request } from 'node:http';
import { argv } from 'node:process';
import { type Identity, parseSpiffeId } from '../../api/ids.ts';
import { TRUST_BUNDLE, TRUST_BUNDLE_KEY } from '../../api/pod.ts';
import { encodeFeedConfig } from '../../api/proto/feed.ts';
import { accessPolicySpec } from '../../api/resources/access-policy.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { CONFIG_MAPS } from '../../kube/types.ts';
import { followClaims } from '../../operator/claims.ts';
import { startFeed } from '../../operator/feed/feed.ts';
import { namedStores } from '../../operator/health.ts';
import { openStores } from '../../operator/open-stores.ts';
import { startFeed as startFeedClient } from '../../sidecar/feed/client.ts';
import type { FeedClient } from '../../sidecar/feed/feed.ts';
import { startMesh } from '../../sidecar/testing/mesh.ts';

const EDITS = argv.includes('--short') ? 5 : 40;
const OURS = 'invoke-system';
const operator = idOf(`${OURS}/invoke-operator`);
const callee = idOf('team-0/orders');

interface Size {
  readonly namespaces: number;
  readonly policies: number;
}

// What is loaded and compiled once is no cost of policies.
await measure({ namespaces: 1, policies: 1 });
for (const size of [
  { namespaces: 1, policies: 1 },
  { namespaces: 50, policies: 1000 },
]) {
  console.log(`${size.policies} policies in ${size.namespaces} namespaces`);
  for (const [what, value] of await measure(size)) console.log(`  ${what.padEnd(66)} ${value}`);
}

async function measure(size: Size): Promise<readonly (readonly [string, string])[]> {
  const api = await startApiServer();
  const mesh = await startMesh();
  const metadata = { name: TRUST_BUNDLE, namespace: OURS };
  api.put(CONFIG_MAPS, { metadata, data: { [TRUST_BUNDLE_KEY]: mesh.ca.anchors.join('\n') } });
  for (let i = 0; i < size.policies; i++) put(api, `team-${i % size.namespaces}`, `policy-${i}`, spec(i));
  const heapBefore = heapBytes();
  const tools = { clock: systemClock, random: Math.random, log: silentLog };
  const stores = openStores(api.kube, tools);
  await Promise.all(namedStores(stores).map(([, store]) => store.synced));
  const anchors = () => stores.trustBundles.get(`${OURS}/${TRUST_BUNDLE}`)?.data?.[TRUST_BUNDLE_KEY];
  const feed = must(
    await startFeed({
      ...{ stores, claims: followClaims(stores), kube: api.kube, heard: () => undefined, host: '127.0.0.1' },
      credentials: snapshot(mesh.ca.issue(operator)),
      trustAnchors: () => Buffer.from(anchors() ?? ''),
      config: { ...operator, defaultAccess: 'allow', ports: { feed: 0 } },
      ...tools,
    }),
  );
  const client = startFeedClient({
    ...{ address: { host: '127.0.0.1', port: feed.port }, operator, self: callee, snapshotFile: undefined },
    ...{ credentials: snapshot(mesh.ca.issue(callee)), sidecarVersion: 'propagation', ...tools },
  });
  await new Promise<void>((live) => void client.config.changed(() => live()));
  const handler = (_: unknown, response: { end(): void }) => response.end();
  await mesh.start('orders', { namespace: 'team-0', feed: client, handler });
  const web = await mesh.start('web', { namespace: 'team-0' });
  const heap = heapBytes() - heapBefore;
  const times = await editTimes(api, `${web.url}/v1.0/invoke/orders/method/probe`);
  const report = [
    ['an edit holds on an open connection, median', `${percentile(times, 50).toFixed(0)} ms`],
    ['the same, slowest', `${percentile(times, 100).toFixed(0)} ms`],
    ['a snapshot of the feed, at first and after each edit', `${snapshotBytes(client)} bytes`],
    ['heap of the stores, the feed and two sidecars', `${(heap / 2 ** 20).toFixed(1)} MiB`],
  ] as const;
  client.stop();
  await mesh.close();
  await feed.stop();
  for (const [, store] of namedStores(stores)) store.stop();
  await api.stop();
  return report;
}

/** As it was sent: all that concerns the app, whole. */
function snapshotBytes({ config }: FeedClient): number {
  const held = config.current();
  if (held === undefined) return 0;
  const { barredNamespaces, defaultAccess } = held;
  const resources = held.resources.map((one) => ({ ...one, spec: Buffer.from(JSON.stringify(one.spec)) }));
  const trustAnchors = Buffer.from(held.trustAnchors.join(''));
  const versions = [...held.versions].map(([kind, version]) => ({ kind, version }));
  return encodeFeedConfig({ versions, trustAnchors, resources, barredNamespaces, defaultAccess }).length;
}

/** From the write of the policy until calls on one connection are judged by it. */
async function editTimes(api: ApiServer, url: string): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  for (let i = 0; i < EDITS; i++) {
    const [action, wanted] = i % 2 === 0 ? (['deny', 403] as const) : (['allow', 200] as const);
    const startMs = performance.now();
    put(api, 'team-0', 'edited', { default: 'allow', rules: [{ name: 'probe', action, to: [{ paths: ['/probe'] }] }] });
    while ((await statusOf(url, agent)) !== wanted);
    times.push(performance.now() - startMs);
  }
  agent.destroy();
  return times;
}

function statusOf(url: string, agent: Agent): Promise<number> {
  return new Promise((done, failed) => {
    const call = request(url, { agent }, (response) =>
      response.resume().once('end', () => done(response.statusCode ?? 0)),
    );
    call.once('error', failed).end();
  });
}

/** All but one namespace's are of other apps, as it is in a cluster; the own ones are about this app. */
function spec(i: number): object {
  const rules = Array.from({ length: 3 }, (_, n) => ({
    name: `rule-${n}`,
    from: [{ app: `app-${i}`, namespace: `team-${n}` }],
    to: [{ methods: ['GET', 'POST'], paths: [`/v1/things-${i}/{id}`, `/v1/things-${i}/**`] }],
  }));
  return { default: 'allow', rules };
}

function put(api: ApiServer, namespace: string, name: string, said: object): void {
  api.put(ACCESS_POLICIES, { metadata: { name, namespace }, spec: accessPolicySpec.parse(said) });
}

function idOf(path: string): Identity {
  return must(parseSpiffeId(`spiffe://test.local/ns/${path}`));
}

/** Without what waits to be collected, where the collector can be called. */
function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}
