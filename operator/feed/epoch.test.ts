// Epochs on a real Lease: how one begins, how replicas agree, and what keeps liars from beginning them at will.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseNamespace } from '../../api/ids.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { LEASES } from '../../kube/types.ts';
import { Epoch } from './epoch.ts';

const namespace = must(parseNamespace('invoke-system'));
const clock = manualClock();
let api: ApiServer;
beforeEach(async () => {
  api = await startApiServer();
});
afterEach(() => api.stop());

const replica = () => new Epoch({ kube: api.kube, namespace, clock, log: silentLog });
const lease = () => api.object(LEASES, 'invoke-operator', namespace);

test('without a Lease the epoch is the first, and nothing is written', async () => {
  const epoch = replica();
  expect(must(await epoch.reread())).toBe(1);
  expect(lease()).toBeUndefined();
});

test('a new epoch is the time at which it began, and other replicas take it', async () => {
  const [one, other] = [replica(), replica()];
  expect(must(await one.grow(1, 'a test'))).toBe(clock.now());
  expect(other.current()).toBe(1);
  expect(must(await other.reread())).toBe(clock.now());
});

test('of replicas that find out together, one begins the epoch and all have it', async () => {
  const replicas = [replica(), replica(), replica(), replica()];
  const grown = await Promise.all(replicas.map((each) => each.grow(1, 'a test')));
  expect(new Set(grown.map(must))).toEqual(new Set([clock.now()]));
});

test('who leads, and what else is written there, stays as it is', async () => {
  api.put(LEASES, {
    metadata: { name: 'invoke-operator', namespace, annotations: { other: 'x' } },
    spec: { holderIdentity: 'replica-1', leaseTransitions: 4 },
  });
  const epoch = must(await replica().grow(1, 'a test'));
  expect(lease()).toMatchObject({
    metadata: { annotations: { other: 'x', 'invoke.io/feed-epoch': `${epoch}` } },
    spec: { holderIdentity: 'replica-1', leaseTransitions: 4 },
  });
});

test('a leader that renews at that moment delays it, and no more', async () => {
  api.put(LEASES, { metadata: { name: 'invoke-operator', namespace }, spec: {} });
  api.failNext(2, { status: 409, message: 'the object has been modified', reason: 'Conflict' }, { verb: 'replace' });
  expect(must(await replica().grow(1, 'a test'))).toBe(clock.now());
});

test('a second epoch has to wait, and is newer than any that was forgotten', async () => {
  const epoch = replica();
  const first = must(await epoch.grow(1, 'a test'));
  expect(await epoch.grow(first, 'again')).toMatchObject({ ok: false, error: expect.stringContaining('ten minutes') });
  api.remove(LEASES, 'invoke-operator', namespace);
  clock.advance(10 * 60_000);
  const second = must(await replica().grow(first, 'the Lease was lost with the cluster'));
  expect(second).toBeGreaterThan(first);
});

test('an epoch of the future is believed by nobody', async () => {
  const outcome = await replica().grow(clock.now() + 60_000, 'a test');
  expect(outcome).toMatchObject({ ok: false, error: expect.stringContaining('clocks') });
  expect(lease()).toBeUndefined();
});

test('without the API server there is no new epoch, and the reason is told', async () => {
  api.failNext(5, { status: 503, message: 'etcd is down' });
  const outcome = await replica().grow(1, 'a test');
  expect(outcome).toMatchObject({ ok: false, error: expect.stringContaining('etcd is down') });
});
