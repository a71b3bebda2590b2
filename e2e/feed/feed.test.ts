// The feed with both its ends: what a sidecar comes to know when the cluster changes, replicas come and go, and versions begin anew.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import { LEASES } from '../../kube/types.ts';
import type { FeedConfig } from '../../sidecar/feed/feed.ts';
import {
  identityOf,
  messagesSentBy,
  nextConfig,
  nextEndpoints,
  openMesh,
  podOf,
  policyOf,
  testStores,
} from './mesh.ts';

const web = identityOf('shop', 'web');
const cart = identityOf('shop', 'cart');

let mesh: Awaited<ReturnType<typeof openMesh>>;
beforeEach(async () => {
  mesh = await openMesh();
});
afterEach(() => mesh.close());

const namesIn = (config: FeedConfig | undefined) => config?.resources.map(({ name }) => name);
/** Later than changes wait to be told together. */
const tellChanges = () => mesh.clock.advance(100);

test('a sidecar is told at once of the policies that concern it, and of no others', async () => {
  const stores = testStores();
  stores.accessPolicies.put(policyOf('shop', 'for-all'));
  stores.accessPolicies.put(policyOf('shop', 'for-web', ['web']));
  stores.accessPolicies.put(policyOf('shop', 'for-cart', ['cart']));
  stores.accessPolicies.put(policyOf('bank', 'of-strangers'));
  const feed = await mesh.startReplica(stores);
  const [ofWeb, ofCart] = await Promise.all([web, cart].map((self) => nextConfig(mesh.startSidecar(self, feed))));
  expect(namesIn(ofWeb)).toEqual(['for-all', 'for-web']);
  expect(namesIn(ofCart)).toEqual(['for-all', 'for-cart']);
  expect(ofWeb?.resources[1]).toMatchObject({
    kind: 'AccessPolicy',
    namespace: 'shop',
    generation: 1,
    spec: { apps: ['web'] },
  });
  expect(ofWeb?.trustAnchors).toHaveLength(1);
});

test('changes arrive together, and what changes nothing for a sidecar is not sent', async () => {
  const stores = testStores();
  const feed = await mesh.startReplica(stores);
  const client = mesh.startSidecar(web, feed);
  await nextConfig(client);
  expect(messagesSentBy(feed)).toBe(1);

  stores.accessPolicies.put(policyOf('shop', 'for-cart', ['cart']));
  stores.accessPolicies.pretend({ version: 7 });
  tellChanges();
  const changed = nextConfig(client);
  stores.accessPolicies.put(policyOf('shop', 'a', ['web']));
  stores.accessPolicies.put(policyOf('shop', 'b', ['web']));
  stores.accessPolicies.pretend({ version: 9 });
  tellChanges();
  expect(namesIn(await changed)).toEqual(['a', 'b']);
  expect((await changed).versions.get('AccessPolicy')).toBe(9);
  expect(messagesSentBy(feed)).toBe(2);
});

test('endpoints are told of the apps that are asked for, ready or not, and when they change', async () => {
  const stores = testStores();
  stores.pods.put(podOf(cart, 'cart-0', '10.0.0.1'));
  stores.pods.put(podOf(cart, 'cart-1', '10.0.0.2', false));
  stores.pods.put(podOf(web, 'web-0', '10.0.0.3'));
  const feed = await mesh.startReplica(stores);
  const client = mesh.startSidecar(web, feed);
  await nextConfig(client);
  const first = nextEndpoints(client);
  client.watch(cart);
  tellChanges();
  expect(await first).toMatchObject({
    isClaimed: true,
    endpoints: [
      { host: '10.0.0.1', port: 50002, ready: true, pod: 'cart-0' },
      { host: '10.0.0.2', ready: false, serving: false, terminating: false },
    ],
  });
  expect(client.endpoints(web)).toBeUndefined();

  const second = nextEndpoints(client);
  stores.pods.remove('shop/cart-0');
  stores.pods.put(podOf(cart, 'cart-1', '10.0.0.2'));
  tellChanges();
  expect((await second)?.endpoints).toMatchObject([{ host: '10.0.0.2', ready: true }]);
  const third = nextEndpoints(client);
  stores.pods.remove('shop/cart-1');
  tellChanges();
  expect(await third).toEqual({ isClaimed: false, endpoints: [] });
});

test('a sidecar whose replica stops goes on with what it knows, and finds another', async () => {
  const stores = testStores();
  const first = await mesh.startReplica(stores);
  const client = mesh.startSidecar(web, first);
  await nextConfig(client);
  const { port } = first;
  await first.stop();
  await expect
    .poll(() => client.state())
    .toMatchObject({ kind: 'stale', lastError: expect.stringContaining('stopping') });
  expect(namesIn(client.config.current())).toEqual([]);

  stores.accessPolicies.put(policyOf('shop', 'news'));
  await mesh.startReplica(stores, port);
  const told = nextConfig(client);
  mesh.clock.advance(200);
  expect(namesIn(await told)).toEqual(['news']);
  expect(client.state()).toEqual({ kind: 'live' });
});

test('a replica that is behind catches up before it answers', async () => {
  const [ahead, behind] = [testStores(), testStores()];
  ahead.accessPolicies.put(policyOf('shop', 'closed'));
  ahead.accessPolicies.pretend({ version: 50 });
  const first = await mesh.startReplica(ahead);
  const client = mesh.startSidecar(web, first);
  await nextConfig(client);
  const { port } = first;
  await first.stop();

  const lists = { count: 0 };
  const relist = async () => {
    lists.count += 1;
    behind.accessPolicies.put(policyOf('shop', 'closed'));
    behind.accessPolicies.pretend({ version: 60 });
  };
  await mesh.startReplica({ ...behind, accessPolicies: { ...behind.accessPolicies, relist } }, port);
  const told = nextConfig(client);
  await expect.poll(() => client.state().kind).toBe('stale');
  mesh.clock.advance(200);
  expect(namesIn(await told)).toEqual(['closed']);
  expect((await told).versions.get('AccessPolicy')).toBe(60);
  expect((await told).epoch).toBe(1);
  expect(lists.count).toBe(1);
});

test('when versions begin anew, an epoch does, and sidecars take the smaller versions', async () => {
  const [before, restored] = [testStores(), testStores()];
  before.accessPolicies.pretend({ version: 1000 });
  const first = await mesh.startReplica(before);
  const client = mesh.startSidecar(web, first);
  await nextConfig(client);
  const { port } = first;
  await first.stop();

  restored.accessPolicies.put(policyOf('shop', 'of-the-backup'));
  restored.accessPolicies.pretend({ version: 400 });
  await mesh.startReplica(restored, port);
  const told = nextConfig(client);
  await expect.poll(() => client.state().kind).toBe('stale');
  mesh.clock.advance(200);
  expect(namesIn(await told)).toEqual(['of-the-backup']);
  const { epoch } = await told;
  expect(epoch).toBe(mesh.clock.now());
  const lease = mesh.api.object(LEASES, 'invoke-operator', 'invoke-system');
  expect(lease?.metadata?.annotations).toEqual({ 'invoke.io/feed-epoch': `${epoch}` });
});

test('a cluster that is restored under a replica that lives on is followed, too', async () => {
  const stores = testStores();
  stores.accessPolicies.pretend({ version: 1000 });
  const client = mesh.startSidecar(web, await mesh.startReplica(stores));
  await nextConfig(client);
  stores.accessPolicies.pretend({ version: 400 });
  stores.accessPolicies.put(policyOf('shop', 'of-the-backup'));
  tellChanges();
  await expect.poll(() => client.state()).toMatchObject({ lastError: expect.stringContaining('we have had 1000') });
  const told = nextConfig(client);
  mesh.clock.advance(200);
  expect(namesIn(await told)).toEqual(['of-the-backup']);
  expect((await told).epoch).toBeGreaterThan(1);
});

test('what is kept of one replica is what the next is asked to be newer than', async () => {
  const stores = testStores();
  stores.accessPolicies.put(policyOf('shop', 'kept'));
  const feed = await mesh.startReplica(stores);
  const file = join(mesh.directory, 'snapshot');
  const before = mesh.startSidecar(web, feed, file);
  await nextConfig(before);
  before.stop();
  await feed.stop();
  const after = mesh.startSidecar(web, feed, file);
  expect(namesIn(after.config.current())).toEqual(['kept']);
  expect(after.state()).toMatchObject({ kind: 'stale' });
  expect(mesh.startSidecar(cart, feed, file).config.current()).toBeUndefined();
  writeFileSync(file, 'nonsense');
  expect(mesh.startSidecar(web, feed, file).config.current()).toBeUndefined();
});

test('what sidecars of two replicas saw of a policy in audit mode comes together in its status, and neither replica leads', async () => {
  const stores = testStores();
  const watched = () => {
    const kept = mesh.api.object(ACCESS_POLICIES, 'next', 'shop');
    if (kept !== undefined) stores.accessPolicies.put(kept);
    return kept?.status;
  };
  mesh.api.put(ACCESS_POLICIES, policyOf('shop', 'next', ['web'], 'audit'));
  watched();
  const replicas = [await mesh.startReplica(stores), await mesh.startReplica(stores)];
  const sidecars = replicas.map((replica) => mesh.startSidecar(web, replica));
  const call = { kind: 'http', caller: cart, method: 'GET', path: must(canonicalPath('/orders')) } as const;
  for (const sidecar of sidecars) {
    await nextConfig(sidecar);
    sidecar.audited({ kind: 'rule', name: 'shop/next/no' }, call);
  }
  await expect.poll(() => sidecars.map((sidecar) => sidecar.state().kind)).toEqual(['live', 'live']);
  mesh.clock.advance(10_000);
  await expect.poll(() => watched()?.conditions).toMatchObject([{ type: 'WouldDeny', status: 'True' }]);
  await expect
    .poll(() => {
      mesh.clock.advance(1000);
      return watched()?.audit;
    })
    .toMatchObject({ deniedCount: 2, example: { caller: 'cart.shop', app: 'web', operation: 'GET /orders' } });
});
