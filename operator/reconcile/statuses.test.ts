// What our resources say of themselves, against an API server.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { NAMESPACE_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { memoryStore } from '../testing-stores.ts';
import type { Reconciler } from './reconciler.ts';
import { statusReconciler } from './statuses.ts';
import { judgeNamespacePolicy } from './verdicts.ts';

let server: ApiServer;
let store = memoryStore<NamespacePolicy>();
let reconciler: Reconciler;
let reported: string[];
const namespaces = new Set<string>();

beforeEach(async () => {
  server = await startApiServer();
  store = memoryStore<NamespacePolicy>();
  namespaces.clear();
  reported = [];
  reconciler = statusReconciler({
    kind: NAMESPACE_POLICIES,
    store,
    judge: (policy) => judgeNamespacePolicy(policy, (name) => namespaces.has(name)),
    kube: server.kube,
    report: (_, { reason, note }) => reported.push(`${reason}: ${note}`),
    clock: manualClock(),
  });
});

afterEach(() => server.stop());

function put(spec: NamespacePolicy['spec']): void {
  store.put(server.put(NAMESPACE_POLICIES, { metadata: { name: 'shop' }, spec }));
}

async function reconcile(): Promise<unknown> {
  const done = await reconciler.reconcile('shop');
  const kept = server.object(NAMESPACE_POLICIES, 'shop');
  if (kept !== undefined) store.put(kept);
  return done.ok ? done.value.did : done.error;
}

const said = () =>
  server
    .object(NAMESPACE_POLICIES, 'shop')
    ?.status?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);

test('a policy of a namespace that is there is accepted, once', async () => {
  namespaces.add('shop');
  put({ directTraffic: 'allow', injection: { enabled: false } });
  expect(await reconcile()).toBe('applied');
  expect(said()).toEqual(['Accepted True Accepted', 'Programmed True Programmed']);
  expect(await reconcile()).toBe('nothing');
  expect(reported).toEqual([]);
});

test('a policy of no namespace is not accepted, and says so in one Event, until the namespace is made', async () => {
  put({ directTraffic: 'allow' });
  await reconcile();
  await reconcile();
  expect(said()).toEqual(['Accepted False NoSuchNamespace', 'Programmed False NotAccepted']);
  expect(reported).toEqual([expect.stringMatching(/^NotAccepted: there is no namespace "shop"/)]);
  namespaces.add('shop');
  expect(await reconcile()).toBe('applied');
  expect(said()).toEqual(['Accepted True Accepted', 'Programmed True Programmed']);
});

test('a policy says what of it has no effect yet', async () => {
  namespaces.add('shop');
  put({ directTraffic: 'allow', mayCall: [], traceSampling: '0.5' });
  await reconcile();
  expect(said()).toEqual(['Accepted True Accepted', 'Programmed False NotEnforced']);
  const programmed = server.object(NAMESPACE_POLICIES, 'shop')?.status?.conditions?.[1];
  expect(programmed?.message).toBe('this version of Invoke does not act on traceSampling yet; the rest is in effect');
});

test('nothing is written of a policy that is going or gone', async () => {
  const requests = server.requests.length;
  expect(await reconcile()).toBe('nothing');
  store.put({ metadata: { name: 'shop', deletionTimestamp: new Date(0) }, spec: { directTraffic: 'allow' } });
  expect(await reconcile()).toBe('nothing');
  expect(server.requests.length).toBe(requests);
});
