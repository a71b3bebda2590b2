// What Resiliencies say of themselves that conflict, against an API server: the younger is not accepted and names the older, until that
// is gone or says something else.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Resiliency, readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { RESILIENCIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { memoryStore } from '../testing-stores.ts';
import type { Reconciler } from './reconciler.ts';
import { resiliencyStatuses } from './resiliency-statuses.ts';

let server: ApiServer;
let store: ReturnType<typeof memoryStore<Resiliency>>;
let reconciler: Reconciler;
let reported: string[];
/** Keys that were said to be looked at. */
let looked: Set<string>;
let unfollow: () => void;
const createdAt = new Map<string, Date>();

beforeEach(async () => {
  server = await startApiServer();
  store = memoryStore<Resiliency>();
  [reported, looked] = [[], new Set()];
  reconciler = resiliencyStatuses({
    store,
    kube: server.kube,
    report: ({ metadata }, { reason, note }) => reported.push(`${metadata?.name} ${reason}: ${note}`),
    clock: manualClock(),
  });
  unfollow = reconciler.follow((key) => looked.add(key));
});

afterEach(() => {
  unfollow();
  return server.stop();
});

function put(name: string, seconds: number, spec: object, namespace = 'shop'): void {
  createdAt.set(`${namespace}/${name}`, new Date(seconds * 1000));
  take(server.put(RESILIENCIES, { metadata: { namespace, name }, spec: must(readResiliency(spec)) }));
}

/** As the operator's watch has it, but for its age, which the test says. */
function take(object: Resiliency | undefined): void {
  if (object === undefined) return;
  const { metadata } = object;
  const creationTimestamp = createdAt.get(`${metadata.namespace}/${metadata.name}`) ?? new Date(0);
  store.put({ ...object, metadata: { ...metadata, creationTimestamp } });
}

/** Does all there is to do, as the leader would. Whether anything was written. */
async function settle(): Promise<boolean> {
  let isWritten = false;
  while (looked.size > 0) {
    const keys = [...looked];
    looked.clear();
    for (const key of keys) {
      const done = must(await reconciler.reconcile(key));
      if (done.did === 'nothing') continue;
      isWritten = true;
      take(server.object(RESILIENCIES, key));
    }
  }
  return isWritten;
}

const conditions = (name: string) => server.object(RESILIENCIES, `shop/${name}`)?.status?.conditions ?? [];
const said = (name: string) => conditions(name).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
const FINE = ['Accepted=True Accepted', 'Programmed=True Programmed'];
const IN_THE_WAY = ['Accepted=False Conflicting', 'Programmed=False NotAccepted'];
const about = (app: string) => ({ targets: { apps: { [app]: {} } } });
const INBOUND = { inbound: { shedding: 'gradient' } };

test('one that is all alone is in effect', async () => {
  put('calls', 1, about('orders'));
  await settle();
  expect(said('calls')).toEqual(FINE);
  expect(await settle()).toBe(false);
});

test('of two the younger is not accepted, and names the older and what both are about, in one Event', async () => {
  put('younger', 2, { ...about('orders'), ...INBOUND });
  await settle();
  expect(said('younger')).toEqual(FINE);
  put('older', 1, about('orders'));
  await settle();
  expect([said('older'), said('younger')]).toEqual([FINE, IN_THE_WAY]);
  expect(conditions('younger')[0]?.message).toContain(
    'shop/older, which is older, says targets.apps[orders] for the same apps',
  );
  expect(reported).toEqual([expect.stringMatching(/^younger NotAccepted: shop\/older/)]);
});

test('when the older is deleted, or speaks of something else, the younger is accepted', async () => {
  put('older', 1, INBOUND);
  put('younger', 2, INBOUND);
  await settle();
  expect(said('younger')).toEqual(IN_THE_WAY);
  put('older', 1, about('orders'));
  await settle();
  expect(said('younger')).toEqual(FINE);
  put('older', 1, INBOUND);
  await settle();
  expect(said('younger')).toEqual(IN_THE_WAY);
  store.remove('shop/older');
  await settle();
  expect(said('younger')).toEqual(FINE);
});

test('one that is not in effect is in nobody’s way, and other namespaces are never', async () => {
  put('of-web', 1, { ...INBOUND, scopes: ['web'] });
  put('of-both', 2, { ...INBOUND, scopes: ['web', 'cart'] });
  put('of-cart', 3, { ...INBOUND, scopes: ['cart'] });
  put('elsewhere', 4, INBOUND, 'bank');
  await settle();
  expect([said('of-web'), said('of-both'), said('of-cart')]).toEqual([FINE, IN_THE_WAY, FINE]);
  expect(server.object(RESILIENCIES, 'bank/elsewhere')?.status?.conditions?.[0]?.status).toBe('True');
});

test('of two of the same second the first by name holds', async () => {
  put('b', 1, INBOUND);
  put('a', 1, INBOUND);
  await settle();
  expect([said('a'), said('b')]).toEqual([FINE, IN_THE_WAY]);
  expect(conditions('b')[0]?.message).toContain('shop/a, which is as old and comes first by name, says inbound');
});

test('a status that is written has nobody else looked at', async () => {
  put('a', 1, INBOUND);
  put('b', 2, about('orders'));
  await settle();
  take(server.object(RESILIENCIES, 'shop/a'));
  expect([...looked]).toEqual(['shop/a']);
});
