// What callers notice of restarts, slow pods and pods that are gone of a sudden, at 100 calls a second: nothing. And what a
// Resiliency that is applied changes, counted by the apps themselves.
//
// RESTARTS=100 makes the first test the long form: so many rolling restarts in a row.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { aPod, callFrom, control, deploy, isReady, meshed, namespace, type Pod, pods, rolledOut } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { apply, get, kubectl, type Manifest, until } from '../kubectl.ts';
import { type Load, moreCalls, servedBy, servedInAll, startLoad, stopLoad } from '../load.ts';

const FRONT = 'e2e-resil-front';
const SHOP = 'e2e-resil-shop';
const RESTARTS = Number(process.env.RESTARTS ?? 3);
/** For one restart of three pods, on a machine that has much else to do. */
const RESTART_LIMIT_MS = 120_000;

let caller: string;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(FRONT);
  await namespace(SHOP);
  await deploy({ name: 'web', namespace: FRONT, annotations: meshed('web') });
  caller = (await aPod(FRONT, 'invoke.io/app-id=web')).metadata.name;
});

function callee(name: string, replicas: number): Promise<void> {
  return deploy({ name, namespace: SHOP, annotations: meshed(name), replicas });
}

/** Its pods that stay. */
async function podsOf(app: string): Promise<readonly Pod[]> {
  const all = await pods(SHOP, `invoke.io/app-id=${app}`);
  return all.filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined);
}

function tell(what: string, { made, failures, slowest }: Load): void {
  const worst = slowest.slice(0, 3).map(({ tookMs }) => `${tookMs} ms`);
  console.log(`${what}: ${made} calls, ${failures} failed; the slowest took ${worst.join(', ')}`);
}

/** GETs, 100 a second, while `change` happens; none of them may fail. */
async function nobodyNotices(what: string, app: string, change: () => Promise<void>): Promise<void> {
  await startLoad(FRONT, caller, `${app}.${SHOP}`);
  await moreCalls(FRONT, caller, 100);
  await change();
  await moreCalls(FRONT, caller, 100);
  const load = await stopLoad(FRONT, caller);
  tell(what, load);
  expect(load.failed).toEqual([]);
}

describe('nobody notices', () => {
  test(
    `${RESTARTS} rolling restarts of an app with three pods`,
    async () => {
      await callee('orders', 3);
      await nobodyNotices(`${RESTARTS} rolling restarts`, 'orders', async () => {
        for (let i = 0; i < RESTARTS; i++) {
          await kubectl('rollout', 'restart', 'deployment/orders', '-n', SHOP);
          await rolledOut(SHOP, 'orders');
        }
      });
    },
    RESTARTS * RESTART_LIMIT_MS,
  );

  test('a pod that is deleted by force', async () => {
    await callee('orders', 3);
    await nobodyNotices('a pod deleted by force', 'orders', async () => {
      const [doomed] = await podsOf('orders');
      const name = doomed?.metadata.name ?? '';
      await kubectl('delete', 'pod', name, '-n', SHOP, '--grace-period=0', '--force');
      await rolledOut(SHOP, 'orders');
      expect((await podsOf('orders')).map(({ metadata }) => metadata.name)).not.toContain(name);
    });
  });
});

test('one of five pods that has become slow gets hardly any call', async () => {
  const [warmUp, counted, shareMax] = [300, 1000, 0.03];
  await callee('stock', 5);
  const five = await podsOf('stock');
  expect(five).toHaveLength(5);
  const slow = five[0]?.metadata.name ?? '';
  await startLoad(FRONT, caller, `stock.${SHOP}`);
  await moreCalls(FRONT, caller, 100);
  await control(SHOP, slow, 'slow?ms=2000');
  await moreCalls(FRONT, caller, warmUp);
  const before = await servedBy(SHOP, five);
  await moreCalls(FRONT, caller, counted);
  const after = await servedBy(SHOP, five);
  const load = await stopLoad(FRONT, caller);
  await control(SHOP, slow, 'slow?ms=0');
  const counts = five.map(({ metadata: { name } }) => (after.get(name) ?? 0) - (before.get(name) ?? 0));
  const all = counts.reduce((sum, count) => sum + count, 0);
  console.log(
    `of ${all} calls after ${warmUp} to warm up, the slow pod got ${counts[0]}, the others ${counts.slice(1)}`,
  );
  expect(load.failed).toEqual([]);
  expect((counts[0] ?? 0) / all).toBeLessThan(shareMax);
});

const BILLS = `/v1.0/invoke/bills.${SHOP}/method`;
let bills: readonly Pod[];

async function clear(): Promise<void> {
  for (const where of [FRONT, SHOP]) await kubectl('delete', 'resiliency', '--all', '-n', where);
}

/** How often the apps were called for it. */
async function triesOf(path: string, method = 'GET'): Promise<{ status: number; fault?: string; tries: number }> {
  const before = await servedInAll(SHOP, bills);
  const { status, headers } = await callFrom(FRONT, caller, `${BILLS}${path}`, method);
  const tries = (await servedInAll(SHOP, bills)) - before;
  return { status, tries, ...(headers['invoke-fault'] === undefined ? {} : { fault: headers['invoke-fault'] }) };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

/** Once it has it. */
function accepted({ metadata: { name = '', namespace: where = '' } }: Manifest, wanted = 'True'): Promise<Condition> {
  return until(`${where}/${name} to be Accepted=${wanted}`, async () => {
    const { status } = await get<{ status?: { conditions: Condition[] } }>('resiliency', name, '-n', where);
    return status?.conditions.find(({ type, status: is }) => type === 'Accepted' && is === wanted);
  });
}

async function taken(object: Manifest): Promise<void> {
  await apply(object);
  await accepted(object);
}

/** Of the caller's namespace, about calls to bills. */
function calling(policies: object, target: object, name = 'bills'): Manifest {
  return resiliency(name, FRONT, { policies, targets: { apps: { [`bills.${SHOP}`]: target } } });
}

/** What is answered with 429. */
function retrying(maxRetries: number, name = 'bills'): Manifest {
  const quick = { policy: 'constant', duration: '10ms', maxRetries, matching: { httpStatusCodes: '429' } };
  return calling({ retries: { quick } }, { retry: 'quick' }, name);
}

function resiliency(name: string, where: string, spec: object): Manifest {
  return { apiVersion: 'invoke.io/v1alpha1', kind: 'Resiliency', metadata: { name, namespace: where }, spec };
}

describe('what a Resiliency says', () => {
  beforeAll(async () => {
    await callee('bills', 2);
    bills = await podsOf('bills');
    expect(bills).toHaveLength(2);
  });

  beforeEach(clear);
  afterEach(clear);

  test('about retries by status is so as soon as it is applied, and no more once it is deleted', async () => {
    expect(await triesOf('/x?status=429')).toEqual({ status: 429, tries: 1 });
    await taken(retrying(2));
    await until('three tries', async () => (await triesOf('/x?status=429')).tries === 3);
    expect(await triesOf('/x?status=503')).toEqual({ status: 503, tries: 1 });
    await clear();
    await until('one try', async () => (await triesOf('/x?status=429')).tries === 1);
  });

  test('is not accepted where an older one says something else already, until that is gone', async () => {
    await taken(retrying(2));
    await until('three tries', async () => (await triesOf('/x?status=429')).tries === 3);
    const younger = retrying(1, 'younger');
    await apply(younger);
    const { message } = await accepted(younger, 'False');
    expect(message).toContain(`${FRONT}/bills, which is older, says targets.apps[bills.${SHOP}]`);
    expect((await triesOf('/x?status=429')).tries).toBe(3);
    await kubectl('delete', 'resiliency', 'bills', '-n', FRONT);
    await accepted(younger);
    await until('two tries', async () => (await triesOf('/x?status=429')).tries === 2);
  });

  test('about a breaker is so: calls stop, and the app is left alone', async () => {
    const circuitBreakers = { third: { consecutiveFailures: 3, timeout: '120s' } };
    await taken(calling({ circuitBreakers }, { circuitBreaker: 'third' }));
    const open = await until('the breaker to open', async () => {
      const seen = await triesOf('/y?status=500');
      return seen.fault !== undefined && seen;
    });
    expect(open).toEqual({ status: 503, fault: 'breaker-open', tries: 0 });
    expect((await callFrom(FRONT, caller, `${BILLS}/y?status=500`)).headers['retry-after']).toMatch(/^\d+$/);
    // Another path has a breaker of its own.
    expect(await triesOf('/z')).toEqual({ status: 200, tries: 1 });
  });

  test('about what is idempotent: nothing else that had reached the app is sent twice', async () => {
    // The app reads the whole body and breaks.
    expect(await triesOf('/pay?breaks', 'POST')).toEqual({ status: 502, fault: 'app-broke', tries: 1 });
    expect(await triesOf('/pay?breaks', 'GET')).toEqual({ status: 502, fault: 'app-broke', tries: 2 });
    const routes = [{ name: 'pay', methods: ['POST'], paths: ['/pay'], idempotent: true }];
    await taken(calling({}, { routes }));
    await until('two tries', async () => (await triesOf('/pay?breaks', 'POST')).tries === 2);
    expect(await triesOf('/other?breaks', 'POST')).toEqual({ status: 502, fault: 'app-broke', tries: 1 });
  });

  test('about the rate of each caller is so: what is too much is refused, and the app sees nothing of it', async () => {
    const rateLimits = [{ from: [{ namespace: FRONT }], requests: 1, per: '60s' }];
    await taken(resiliency('bills', SHOP, { scopes: ['bills'], inbound: { rateLimits } }));
    const refused = await until('too much', async () => {
      const seen = await triesOf('/x');
      return seen.status !== 200 && seen;
    });
    expect(refused).toEqual({ status: 429, fault: 'rate-limited', tries: 0 });
    await clear();
    await until('the end of it', async () => (await triesOf('/x')).status === 200);
  });
});
