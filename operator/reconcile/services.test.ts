// How the Services of apps are kept, against an API server.
import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { CLUSTER_ROLES, keyOf, SERVICES } from '../../kube/types.ts';
import { memoryStore } from '../testing-stores.ts';
import type { Reconciler } from './reconciler.ts';
import { UNCLAIMED_KEPT_MS, UNCLAIMED_SINCE_KEY } from './service.ts';
import { servicesReconciler } from './services.ts';
import { type Apps, hear, looked, startApps, WEB } from './testing-apps.ts';

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'u', controller: true };
const pod: V1Pod = {
  kind: 'Pod',
  metadata: { name: 'web-1-x', namespace: 'shop', labels: { 'invoke.io/app-id': 'web' }, ownerReferences: [owner] },
};

const clock = manualClock();
let apps: Apps;
let reconciler: Reconciler;
let services = memoryStore<V1Service>();

beforeEach(async () => {
  apps = await startApps(pod);
  services = memoryStore();
  const { namespaces, claims, own } = apps;
  reconciler = servicesReconciler({ ...own, stores: { namespaces, services }, claims, clock });
});

afterEach(() => apps.server.stop());

const kept = () => apps.server.object(SERVICES, 'web-invoke', 'shop');

async function reconcile(): Promise<unknown> {
  const done = await reconciler.reconcile('shop/web');
  hear(services, kept());
  return done.ok ? done.value : done.error;
}

describe('the Service of an app', () => {
  test('is made once somebody claims the app, owned by what uninstalling removes', async () => {
    expect(await reconcile()).toEqual({ did: 'created' });
    expect(kept()?.spec?.selector).toEqual({ 'invoke.io/app-id': 'web' });
    const role = apps.server.object(CLUSTER_ROLES, 'invoke-owner');
    expect(kept()?.metadata?.ownerReferences).toEqual([
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        name: 'invoke-owner',
        uid: role?.metadata?.uid,
      },
    ]);
  });

  test('is not written again when all is well', async () => {
    await reconcile();
    const requests = apps.server.requests.length;
    expect(await reconcile()).toEqual({ did: 'nothing' });
    expect(apps.server.requests.length).toBe(requests);
  });

  test('is put right when somebody edited it', async () => {
    await reconcile();
    services.put({ ...kept(), spec: { ...kept()?.spec, selector: { app: 'other' } } });
    expect(await reconcile()).toEqual({ did: 'applied' });
    expect(kept()?.spec?.selector).toEqual({ 'invoke.io/app-id': 'web' });
  });

  test('is not taken over when somebody put their own in its place in the meantime', async () => {
    await reconcile();
    const before = kept();
    apps.server.remove(SERVICES, 'web-invoke', 'shop');
    apps.server.put(SERVICES, {
      metadata: { name: 'web-invoke', namespace: 'shop' },
      spec: { selector: { app: 'theirs' } },
    });
    services.put({ ...before, spec: { ...before?.spec, publishNotReadyAddresses: true } });
    const done = await reconciler.reconcile('shop/web');
    expect(done).toMatchObject({ ok: false, error: { kind: 'conflict' } });
    expect(kept()?.spec).toEqual({ selector: { app: 'theirs' } });
  });

  test('is kept ten minutes after the last claim, and not a minute longer', async () => {
    await reconcile();
    apps.workloads.remove('shop/web');
    apps.pods.remove('shop/web-1-x');
    expect(await reconcile()).toEqual({ did: 'applied', againInMs: UNCLAIMED_KEPT_MS });
    expect(kept()?.metadata?.annotations).toHaveProperty([UNCLAIMED_SINCE_KEY]);
    clock.advance(UNCLAIMED_KEPT_MS - 1);
    expect(await reconcile()).toEqual({ did: 'nothing', againInMs: 1 });
    clock.advance(1);
    expect(await reconcile()).toEqual({ did: 'deleted' });
    expect(kept()).toBeUndefined();
    expect(await reconcile()).toEqual({ did: 'nothing' });
  });
});

describe("a Service of somebody else's with the name", () => {
  const theirs = { metadata: { name: 'web-invoke', namespace: 'shop' }, spec: { selector: { app: 'theirs' } } };

  test('is left as it is, and said to be in the way on it and on the workload', async () => {
    apps.server.put(SERVICES, theirs);
    const done = await reconciler.reconcile('shop/web');
    expect(done).toEqual({ ok: true, value: { did: 'blocked', againInMs: 30_000 } });
    expect(kept()).toMatchObject({ spec: theirs.spec });
    expect(kept()?.metadata?.labels).toBeUndefined();
    expect(apps.reported).toEqual([
      expect.stringMatching(/^Service web-invoke: ServiceNameTaken: The Service shop\/web-invoke is not Invoke's/),
      expect.stringMatching(/^Deployment web: ServiceNameTaken: The Service shop\/web-invoke is not Invoke's/),
    ]);
  });

  test('gives way to ours once it is gone', async () => {
    apps.server.put(SERVICES, theirs);
    await reconciler.reconcile('shop/web');
    apps.server.remove(SERVICES, 'web-invoke', 'shop');
    expect(await reconcile()).toEqual({ did: 'created' });
  });

  test('is said to be in the way on a pod only where nothing made the pod', async () => {
    apps.server.put(SERVICES, theirs);
    apps.workloads.remove('shop/web');
    apps.pods.put({ kind: 'Pod', metadata: { ...pod.metadata, name: 'bare', ownerReferences: [] } });
    await reconciler.reconcile('shop/web');
    expect(apps.reported.map((line) => line.split(':', 1)[0])).toEqual(['Service web-invoke', 'Pod bare']);
  });
});

test.each<[string, () => void]>([
  ['missing', () => apps.server.remove(CLUSTER_ROLES, 'invoke-owner')],
  [
    'on its way out',
    () => apps.server.put(CLUSTER_ROLES, { metadata: { name: 'invoke-owner', deletionTimestamp: new Date(0) } }),
  ],
])('while the owner is %s nothing is written, and the reason is said', async (_, change) => {
  change();
  const done = await reconciler.reconcile('shop/web');
  expect(done.ok ? '' : done.error.message).toMatch(/^the ClusterRole "invoke-owner" is not there/);
  expect(kept()).toBeUndefined();
});

test('a Service that only lags behind in the watch is no obstacle', async () => {
  await reconcile();
  services.remove('shop/web-invoke');
  const done = await reconciler.reconcile('shop/web');
  expect(done).toMatchObject({ ok: false, error: { kind: 'already-exists' } });
  expect(apps.reported).toEqual([]);
});

describe('an app is looked at', () => {
  test('at first, when it is claimed, and when only its Service is left', () => {
    services.put({ metadata: { name: 'old-invoke', namespace: 'shop' } });
    services.put({ metadata: { name: 'strange', namespace: 'shop' } });
    expect(reconciler.keys()).toEqual(['shop/web', 'shop/old']);
  });

  test('when its Service changes', () => {
    expect(looked(reconciler, () => services.put({ metadata: { name: 'web-invoke', namespace: 'shop' } }))).toEqual([
      'shop/web',
    ]);
    expect(looked(reconciler, () => services.remove('shop/web-invoke'))).toEqual(['shop/web']);
    expect(looked(reconciler, () => services.put({ metadata: { name: 'strange', namespace: 'shop' } }))).toEqual([]);
  });

  test('when its namespace is heard of after its pods', () => {
    apps.namespaces.remove('shop');
    expect(looked(reconciler, () => apps.namespaces.put({ metadata: { name: 'shop' } }))).toEqual(['shop/web']);
    expect(looked(reconciler, () => apps.namespaces.put({ metadata: { name: 'shop', labels: {} } }))).toEqual([]);
    expect(looked(reconciler, () => apps.namespaces.put({ metadata: { name: 'other' } }))).toEqual([]);
  });

  test('when somebody claims it or ceases to', () => {
    expect(looked(reconciler, () => apps.pods.remove('shop/web-1-x'))).toEqual(['shop/web']);
    const keys = looked(reconciler, () => apps.workloads.remove(keyOf(WEB)));
    expect(keys).toEqual(['shop/web']);
  });
});
