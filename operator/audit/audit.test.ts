// What the status of a policy says of the calls that it would have denied, by what sidecars tell, against an API server: whom a replica
// believes, that several add up, and how seldom they write.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import type { AuditDenials } from '../../api/proto/feed-audits.ts';
import { type AccessPolicy, accessPolicySpec } from '../../api/resources/access-policy.ts';
import { statusWithAudit } from '../../api/resources/status.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { statusReconciler } from '../reconcile/statuses.ts';
import { judgeAccessPolicy } from '../reconcile/verdicts.ts';
import { memoryStore } from '../testing-stores.ts';
import { HeardAudits } from './heard.ts';
import { type AuditKeeper, auditReconciler, keepAudits } from './keeper.ts';

const id = (path: string, trustDomain = 'cluster.local') => must(parseSpiffeId(`spiffe://${trustDomain}/ns/${path}`));
const orders = id('shop/orders');
const START_MS = Date.parse('2030-01-01T12:00:00Z');
const NAME = 'next';

let server: ApiServer;
let clock: ManualClock;
let keepers: AuditKeeper[];
let store = memoryStore<AccessPolicy>();

beforeEach(async () => {
  server = await startApiServer();
  clock = manualClock(START_MS);
  store = memoryStore<AccessPolicy>();
  keepers = [];
});
afterEach(async () => {
  for (const keeper of keepers) await keeper.stop();
  await server.stop();
});

/** Each hears of its own sidecars; what is written all of them see, once `watched`. */
function replica(random = 0): HeardAudits {
  const heard = new HeardAudits(store, clock);
  keepers.push(keepAudits(heard, { policies: store, kube: server.kube, clock, random: () => random, log: silentLog }));
  return heard;
}

function put(spec: Partial<AccessPolicy['spec']> = {}): void {
  const { status } = server.object(ACCESS_POLICIES, NAME, 'shop') ?? {};
  const whole = accessPolicySpec.parse({ mode: 'audit', ...spec });
  server.put(ACCESS_POLICIES, { metadata: { name: NAME, namespace: 'shop' }, spec: whole, ...(status && { status }) });
  watched();
}

function watched(): AccessPolicy {
  const kept = server.object(ACCESS_POLICIES, NAME, 'shop');
  if (kept === undefined) throw new Error('there is no policy');
  store.put(kept);
  return kept;
}

async function lead(): Promise<unknown> {
  const did = must(await auditReconciler({ policies: store, kube: server.kube, clock }).reconcile(`shop/${NAME}`)).did;
  watched();
  return did;
}

function report(over: Partial<AuditDenials> = {}): AuditDenials {
  const example = { caller: 'spiffe://cluster.local/ns/front/web', operation: 'GET /orders/7' };
  return { policy: NAME, generation: 1, deniedBy: 'shop/next/no', count: 1, ageMs: 0, ...example, ...over };
}

const wouldDeny = () => watched().status?.conditions?.find(({ type }) => type === 'WouldDeny');
const audit = () => watched().status?.audit;
/** What is said then. */
function later(ms: number) {
  clock.advance(ms);
  return audit();
}
const writes = () => server.requests.filter(({ verb }) => verb === 'apply').length;
const written = (count: number) => expect.poll(writes).toBe(count);

test('a policy in audit mode says that nothing was seen, then what was: how many, when, and an example', async () => {
  put();
  expect(await lead()).toBe('applied');
  expect(wouldDeny()).toMatchObject({ status: 'False', reason: 'NoneSeen', observedGeneration: 1 });
  expect(await lead()).toBe('nothing');
  clock.advance(10_000);
  replica().hear(orders, [report({ count: 3, ageMs: 4000 })]);
  await expect.poll(wouldDeny).toMatchObject({
    status: 'True',
    reason: 'CallsSeen',
    lastTransitionTime: '2030-01-01T12:00:10Z',
    message:
      'since 2030-01-01T12:00:00Z it would have denied 3 calls, the last at 2030-01-01T12:00:06Z, ' +
      'such as web.front > GET /orders/7 of orders.shop, by shop/next/no',
  });
  expect(audit()).toEqual({
    sinceTime: '2030-01-01T12:00:00Z',
    deniedCount: 3,
    lastDeniedTime: '2030-01-01T12:00:06Z',
    example: { caller: 'web.front', app: 'orders', operation: 'GET /orders/7', deniedBy: 'shop/next/no' },
  });
  expect(statusWithAudit.safeParse(watched().status).success).toBe(true);
});

test('what several replicas hear adds up, though each writes by itself and some are behind', async () => {
  put();
  const [one, other] = [replica(), replica()];
  one.hear(orders, [report({ count: 2 })]);
  await written(1);
  // The other has not seen that yet: it is told so, and adds to what there is later on.
  other.hear(orders, [report({ count: 5 })]);
  await written(2);
  expect(audit()?.deniedCount).toBe(2);
  await expect.poll(() => later(70_000)).toMatchObject({ deniedCount: 7 });
});

test('all replicas together write of a policy about once a minute, whatever they hear', async () => {
  put();
  const replicas = [replica(0), replica(0.5), replica(1)];
  for (let second = 0; second < 600; second += 1) {
    for (const heard of replicas) heard.hear(orders, [report()]);
    // What is under way comes to its end, and all see it.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    watched();
    clock.advance(1000);
  }
  // At first all three are at once.
  expect(writes()).toBeGreaterThanOrEqual(9);
  expect(writes()).toBeLessThanOrEqual(3 + 10);
  expect(wouldDeny()?.lastTransitionTime).toBe('2030-01-01T12:00:00Z');
});

test('a change of the spec begins anew, and what was heard of the old one does not count', async () => {
  put();
  const heard = replica();
  heard.hear(orders, [report({ count: 9 })]);
  await expect.poll(wouldDeny).toMatchObject({ status: 'True' });
  clock.advance(5000);
  heard.hear(orders, [report({ count: 9 })]);
  put({ default: 'allow' });
  expect(await lead()).toBe('applied');
  expect(wouldDeny()).toMatchObject({
    status: 'False',
    observedGeneration: 2,
    lastTransitionTime: '2030-01-01T12:00:05Z',
  });
  expect(audit()).toEqual({ sinceTime: '2030-01-01T12:00:05Z', deniedCount: 0 });
  heard.hear(orders, [report({ count: 9 })]);
  clock.advance(120_000);
  heard.hear(orders, [report({ generation: 2 })]);
  await expect.poll(audit).toMatchObject({ deniedCount: 1, sinceTime: '2030-01-01T12:00:05Z' });
});

test('once it is enforced it says nothing of audits any more, and the other conditions stay', async () => {
  put();
  const judge = judgeAccessPolicy;
  const accepting = { kind: ACCESS_POLICIES, store, judge, kube: server.kube, report: () => undefined, clock };
  must(await statusReconciler(accepting).reconcile(`shop/${NAME}`));
  watched();
  await lead();
  expect(
    watched()
      .status?.conditions?.map(({ type }) => type)
      .toSorted(),
  ).toEqual(['Accepted', 'Programmed', 'WouldDeny']);
  put({ mode: 'enforce' });
  expect(await lead()).toBe('applied');
  expect(
    watched()
      .status?.conditions?.map(({ type }) => type)
      .toSorted(),
  ).toEqual(['Accepted', 'Programmed']);
  expect(audit()).toBeUndefined();
  expect(await lead()).toBe('nothing');
});

describe('a sidecar is believed', () => {
  test.each([
    ['of a policy of another namespace', id('bank/orders'), report()],
    ['of a policy of another app', id('shop/web'), report()],
    ['of a policy that is not there', orders, report({ policy: 'other' })],
    ['of a policy by its path', orders, report({ policy: '../shop/next' })],
    ['of a policy as it was', orders, report({ generation: 7 })],
    ['by the name of a rule of another policy', orders, report({ deniedBy: 'shop/other/no' })],
    ['without a call', orders, report({ count: 0 })],
  ])('not %s', async (_, self, told) => {
    put({ apps: ['orders'] });
    const heard = replica();
    heard.hear(self, [told]);
    heard.hear(orders, [report({ count: 2, deniedBy: 'default of shop/next' })]);
    await written(1);
    expect(audit()?.deniedCount).toBe(2);
  });

  test('not of a policy that is enforced', async () => {
    put({ mode: 'enforce' });
    replica().hear(orders, [report()]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes()).toBe(0);
  });

  test('but whatever it invents fits into the status, and its times lie neither ahead nor far behind', async () => {
    put();
    const text = '\u0000\u2028"'.repeat(10_000);
    const invented = report({ caller: text, operation: text, deniedBy: `shop/next/${text}` });
    replica().hear(orders, [{ ...invented, count: Number.MAX_SAFE_INTEGER, ageMs: Number.MAX_SAFE_INTEGER }]);
    await written(1);
    expect(statusWithAudit.safeParse(watched().status)).toMatchObject({ success: true });
    expect(audit()).toMatchObject({
      deniedCount: 100_000_000,
      lastDeniedTime: '2029-12-31T12:00:00Z',
      example: { caller: 'somebody' },
    });
  });
});

test('a caller of another trust domain is named with it', async () => {
  put();
  replica().hear(orders, [report({ caller: 'spiffe://other.example/ns/front/web' })]);
  await expect.poll(audit).toMatchObject({ example: { caller: 'spiffe://other.example/ns/front/web' } });
});

test('while the API server is down, what was heard waits', async () => {
  put();
  server.failNext(1, { status: 500 }, { verb: 'apply' });
  const heard = replica();
  heard.hear(orders, [report({ count: 4 })]);
  await written(1);
  heard.hear(orders, [report({ count: 4 })]);
  await expect.poll(() => later(1000)).toMatchObject({ deniedCount: 8 });
});
