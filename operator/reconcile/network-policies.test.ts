// Where direct traffic is denied, each app has a NetworkPolicy that admits ports of its sidecar alone; against an API server.
import type { V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { CLUSTER_ROLES, NETWORK_POLICIES } from '../../kube/types.ts';
import { memoryStore } from '../testing-stores.ts';
import { networkPoliciesReconciler } from './network-policies.ts';
import type { Reconciler } from './reconciler.ts';
import { type Apps, hear, looked, startApps } from './testing-apps.ts';

function pod(name: string, ...ports: readonly number[]): V1Pod {
  const sidecar = { name: 'invoke-sidecar', ports: ports.map((containerPort) => ({ containerPort })) };
  return {
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { 'invoke.io/app-id': 'web' } },
    spec: { containers: [], initContainers: [sidecar] },
  };
}

const says = (directTraffic: 'allow' | 'deny'): NamespacePolicy => ({
  metadata: { name: 'shop' },
  spec: { directTraffic },
});

let apps: Apps;
let reconciler: Reconciler;
let namespacePolicies = memoryStore<NamespacePolicy>();
let networkPolicies = memoryStore<V1NetworkPolicy>();

beforeEach(async () => {
  apps = await startApps();
  namespacePolicies = memoryStore(says('deny'));
  networkPolicies = memoryStore();
  const { namespaces, claims, own } = apps;
  reconciler = networkPoliciesReconciler({
    ...own,
    stores: { namespaces, namespacePolicies, networkPolicies },
    claims,
  });
});

afterEach(() => apps.server.stop());

const kept = () => apps.server.object(NETWORK_POLICIES, 'web-invoke', 'shop');
const admitted = () => kept()?.spec?.ingress?.map(({ ports = [] }) => ports.map(({ port }) => port));

async function reconcile(): Promise<unknown> {
  const done = await reconciler.reconcile('shop/web');
  hear(networkPolicies, kept());
  return done.ok ? done.value.did : done.error;
}

describe('where direct traffic is denied', () => {
  test('an app has a NetworkPolicy, owned by what uninstalling removes, that admits ports of its sidecar alone', async () => {
    apps.pods.put(pod('web-1', 3501, 50002, 9090));
    expect(await reconcile()).toBe('created');
    expect(kept()?.spec).toEqual({
      podSelector: { matchLabels: { 'invoke.io/app-id': 'web' } },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [3501, 9090, 50002].map((port) => ({ port, protocol: 'TCP' })) }],
    });
    expect(kept()?.metadata?.labels).toEqual({
      'app.kubernetes.io/managed-by': 'invoke-operator',
      'invoke.io/app-id': 'web',
    });
    const uid = apps.server.object(CLUSTER_ROLES, 'invoke-owner')?.metadata?.uid;
    expect(kept()?.metadata?.ownerReferences).toMatchObject([{ kind: 'ClusterRole', name: 'invoke-owner', uid }]);
  });

  test('it is there before the first pod, and is not written again when all is well', async () => {
    await reconcile();
    expect(admitted()).toEqual([[3501, 9090, 50002]]);
    const requests = apps.server.requests.length;
    expect(await reconcile()).toBe('nothing');
    expect(apps.server.requests.length).toBe(requests);
  });

  test('while pods differ in their ports, those of all are admitted, and afterwards those that are left', async () => {
    apps.pods.put(pod('old', 3501, 50002, 9090));
    await reconcile();
    apps.pods.put(pod('new', 3501, 50012));
    expect(await reconcile()).toBe('applied');
    expect(admitted()).toEqual([[3501, 9090, 50002, 50012]]);
    apps.pods.remove('shop/old');
    await reconcile();
    expect(admitted()).toEqual([[3501, 50012]]);
  });

  test.each([
    ['admits one port more', { ingress: [{ ports: [{ port: 8080, protocol: 'TCP' }] }, {}] }],
    ['has no rules', { ingress: [] }],
    ['selects other pods', { podSelector: { matchLabels: { 'invoke.io/app-id': 'web', app: 'x' } } }],
    ['is about egress, too', { policyTypes: ['Ingress', 'Egress'] }],
  ])('one that somebody edited so that it %s is put right', async (_, edit) => {
    await reconcile();
    const right = kept()?.spec;
    networkPolicies.put({ ...kept(), spec: { podSelector: {}, ...right, ...edit } });
    expect(await reconcile()).toBe('applied');
    expect(kept()?.spec).toEqual(right);
  });

  test('it goes when the field goes back, when the policy goes, and when the app goes', async () => {
    for (const end of [
      () => namespacePolicies.put(says('allow')),
      () => namespacePolicies.remove('shop'),
      () => apps.workloads.remove('shop/web'),
    ]) {
      namespacePolicies.put(says('deny'));
      expect(await reconcile()).toBe('created');
      end();
      expect(await reconcile()).toBe('deleted');
      expect(kept()).toBeUndefined();
      expect(await reconcile()).toBe('nothing');
    }
  });

  test('nothing is made in a namespace that is going', async () => {
    apps.namespaces.put({ metadata: { name: 'shop', deletionTimestamp: new Date(0) } });
    expect(await reconcile()).toBe('nothing');
    expect(kept()).toBeUndefined();
  });
});

test('where it is not denied, nothing is asked of the API server', async () => {
  namespacePolicies.put(says('allow'));
  const requests = apps.server.requests.length;
  expect(await reconcile()).toBe('nothing');
  expect(apps.server.requests.length).toBe(requests);
});

describe("a NetworkPolicy of somebody else's with the name", () => {
  const theirs = { metadata: { name: 'web-invoke', namespace: 'shop' }, spec: { podSelector: {} } };

  test('is left as it is, and said to be in the way on it and on the workload', async () => {
    apps.server.put(NETWORK_POLICIES, theirs);
    const done = await reconciler.reconcile('shop/web');
    expect(done).toEqual({ ok: true, value: { did: 'blocked', againInMs: 30_000 } });
    expect(kept()).toMatchObject({ spec: theirs.spec });
    expect(kept()?.metadata?.labels).toBeUndefined();
    expect(apps.reported).toEqual([
      expect.stringMatching(
        /^NetworkPolicy web-invoke: NetworkPolicyNameTaken: The NetworkPolicy shop\/web-invoke is not/,
      ),
      expect.stringMatching(/^Deployment web: NetworkPolicyNameTaken: /),
    ]);
  });

  test('is not taken over when it was put in the place of ours', async () => {
    await reconcile();
    apps.server.remove(NETWORK_POLICIES, 'web-invoke', 'shop');
    apps.server.put(NETWORK_POLICIES, theirs);
    apps.pods.put(pod('web-1', 3501, 50012));
    const done = await reconciler.reconcile('shop/web');
    expect(done).toMatchObject({ ok: false, error: { kind: 'conflict' } });
    expect(kept()?.spec).toEqual(theirs.spec);
  });
});

describe('an app is looked at', () => {
  test('at first, when it is claimed, and when only its NetworkPolicy is left', () => {
    networkPolicies.put({ metadata: { name: 'old-invoke', namespace: 'shop' } });
    networkPolicies.put({ metadata: { name: 'strange', namespace: 'shop' } });
    expect(reconciler.keys()).toEqual(['shop/web', 'shop/old']);
  });

  test('when a pod of it comes or goes, and not each time that something about the pod is new', () => {
    const first = pod('web-1', 3501);
    expect(looked(reconciler, () => apps.pods.put(first))).toEqual(['shop/web']);
    expect(looked(reconciler, () => apps.pods.put({ ...first, status: { phase: 'Running' } }))).toEqual([]);
    expect(looked(reconciler, () => apps.pods.remove('shop/web-1'))).toEqual(['shop/web']);
  });

  test('when the namespace says something else of direct traffic, and not when of something else', () => {
    expect(looked(reconciler, () => namespacePolicies.put(says('allow')))).toEqual(['shop/web']);
    const more = { ...says('allow'), spec: { directTraffic: 'allow' as const, mayCall: [] } };
    expect(looked(reconciler, () => namespacePolicies.put(more))).toEqual([]);
    expect(looked(reconciler, () => namespacePolicies.remove('shop'))).toEqual(['shop/web']);
    expect(looked(reconciler, () => namespacePolicies.put({ ...says('deny'), metadata: { name: 'other' } }))).toEqual(
      [],
    );
  });

  test('when its NetworkPolicy changes, and when its namespace is heard of after it', () => {
    expect(
      looked(reconciler, () => networkPolicies.put({ metadata: { name: 'web-invoke', namespace: 'shop' } })),
    ).toEqual(['shop/web']);
    apps.namespaces.remove('shop');
    expect(looked(reconciler, () => apps.namespaces.put({ metadata: { name: 'shop' } }))).toEqual(['shop/web']);
  });
});
