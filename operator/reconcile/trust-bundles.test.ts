// How the trust anchors get into every namespace, against an API server.
import type { V1ConfigMap, V1Namespace } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Namespace, parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { CLUSTER_ROLES, CONFIG_MAPS } from '../../kube/types.ts';
import { memoryStore } from '../testing-stores.ts';
import { ensureTrustBundle, type TrustBundlesOptions, trustBundlesReconciler } from './trust-bundles.ts';

const ours = must(parseNamespace('invoke-system'));
const shop = must(parseNamespace('shop'));
const published: V1ConfigMap = {
  metadata: { name: 'invoke-trust-bundle', namespace: ours },
  data: { 'trust-anchors.crt': 'PEM' },
};

let server: ApiServer;
let options: TrustBundlesOptions;
let namespaces = memoryStore<V1Namespace>();
let trustBundles = memoryStore<V1ConfigMap>();

beforeEach(async () => {
  server = await startApiServer();
  server.put(CLUSTER_ROLES, { metadata: { name: 'invoke-owner' } });
  namespaces = memoryStore<V1Namespace>({ metadata: { name: 'shop' } }, { metadata: { name: ours } });
  trustBundles = memoryStore(published);
  options = { kube: server.kube, stores: { namespaces, trustBundles }, ownNamespace: ours };
});

afterEach(() => server.stop());

const keptIn = (namespace: Namespace) => server.object(CONFIG_MAPS, 'invoke-trust-bundle', namespace);

function copy(): V1ConfigMap {
  const found = keptIn(shop);
  if (found === undefined) throw new Error('the namespace has no copy');
  return found;
}

async function reconcile(key: string): Promise<unknown> {
  const done = await trustBundlesReconciler(options).reconcile(key);
  return done.ok ? done.value.did : done.error;
}

describe('the leader', () => {
  test('copies the anchors to a namespace, owned by what uninstalling removes', async () => {
    expect(await reconcile('shop')).toBe('applied');
    const role = server.object(CLUSTER_ROLES, 'invoke-owner');
    expect(keptIn(shop)).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'ClusterRole', name: 'invoke-owner', uid: role?.metadata?.uid }] },
      data: { 'trust-anchors.crt': 'PEM' },
    });
  });

  test('writes nothing where all is well, and nothing in our own namespace', async () => {
    await reconcile('shop');
    trustBundles.put(copy());
    const requests = server.requests.length;
    expect(await reconcile('shop')).toBe('nothing');
    expect(await reconcile('invoke-system')).toBe('nothing');
    expect(server.requests.length).toBe(requests);
  });

  test('makes anew what was frozen with other anchors', async () => {
    const frozen = { ...published, metadata: { ...published.metadata, namespace: shop }, immutable: true, data: {} };
    trustBundles.put(server.put(CONFIG_MAPS, frozen));
    expect(await reconcile('shop')).toBe('applied');
    expect(keptIn(shop)).toMatchObject({ data: { 'trust-anchors.crt': 'PEM' } });
    expect(keptIn(shop)?.immutable).toBeUndefined();
  });

  test('looks at a namespace when it or its copy changes, and at all when the sentry publishes', () => {
    const looked: string[] = [];
    trustBundlesReconciler(options).follow((key) => looked.push(key));
    namespaces.put({ metadata: { name: 'new' } });
    trustBundles.put({ ...published, metadata: { ...published.metadata, namespace: 'shop' } });
    trustBundles.remove('shop/invoke-trust-bundle');
    expect(looked.splice(0)).toEqual(['new', 'shop', 'shop']);
    trustBundles.put({ ...published, data: { 'trust-anchors.crt': 'NEW' } });
    expect(looked).toEqual(['shop', 'invoke-system', 'new']);
  });
});

describe('any replica, for the webhook', () => {
  test('makes sure of the anchors, and asks nobody when they are there', async () => {
    expect(await ensureTrustBundle(options)(shop)).toEqual({ ok: true, value: undefined });
    expect(keptIn(shop)?.data).toEqual({ 'trust-anchors.crt': 'PEM' });
    trustBundles.put(copy());
    const requests = server.requests.length;
    await ensureTrustBundle(options)(shop);
    expect(server.requests.length).toBe(requests);
  });

  test('does so in a namespace that it has not heard of yet', async () => {
    const fresh = must(parseNamespace('fresh'));
    expect((await ensureTrustBundle(options)(fresh)).ok).toBe(true);
    expect(keptIn(fresh)?.data).toEqual({ 'trust-anchors.crt': 'PEM' });
  });

  test('looks up what the sentry has published when it has not heard of it yet', async () => {
    trustBundles.remove('invoke-system/invoke-trust-bundle');
    server.put(CONFIG_MAPS, published);
    expect((await ensureTrustBundle(options)(shop)).ok).toBe(true);
    expect(keptIn(shop)?.data).toEqual({ 'trust-anchors.crt': 'PEM' });
  });

  test('says what is missing while the sentry has published nothing', async () => {
    trustBundles.remove('invoke-system/invoke-trust-bundle');
    const done = await ensureTrustBundle(options)(shop);
    expect(done.ok ? '' : done.error).toMatch(
      /^there are no trust anchors .* ConfigMap invoke-system\/invoke-trust-bundle, but it has not done so yet; see whether/,
    );
  });

  test('passes on why it failed', async () => {
    server.failNext(1, { status: 403, message: 'quota is used up' }, { verb: 'apply' });
    const done = await ensureTrustBundle(options)(shop);
    expect(done.ok ? '' : done.error).toMatch(/^the trust anchors cannot be put into the namespace "shop": .*quota/);
  });
});
