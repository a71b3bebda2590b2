// What is asked of the API server is asked once and answered in time, or fails with a reason.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '../kit/log.ts';
import { must } from '../kit/result.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { portOf } from '../kit/testing/ports.ts';
import { openKube } from './client.ts';
import type { Kube, KubeFailure, WatchEvent } from './kube.ts';
import { type ApiServer, startApiServer } from './testing/api-server.ts';
import { CONFIG_MAPS, NODES } from './types.ts';

let api: ApiServer;
let clock: ManualClock;
let kube: Kube;

beforeEach(async () => {
  api = await startApiServer();
  clock = manualClock();
  kube = client(api.url);
});
afterEach(() => api.stop());

function client(server: string, user: Partial<User> = {}): Kube {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser({ name: 'test', server, skipTLSVerify: true }, { name: 'test', ...user });
  const log = createLog({ level: 'error', format: 'text', write: () => undefined, now: () => 0 });
  return must(openKube({ kubeConfig, fieldManager: 'invoke-test', clock, log }));
}

const poll = (read: () => unknown) => expect.poll(read, { interval: 5, timeout: 10_000 });
const configMap = (name: string, data = {}) => ({ metadata: { name, namespace: 'shop' }, data });
const get = () => kube.get(CONFIG_MAPS, 'a', 'shop');

/** A watch that notes what it is told. */
function watch(resourceVersion = `${Number.MAX_SAFE_INTEGER}`) {
  const events: WatchEvent<object>[] = [];
  const ends: (KubeFailure | undefined)[] = [];
  const cancel = kube.watch(
    CONFIG_MAPS,
    { resourceVersion, timeoutSec: 60 },
    (event) => events.push(event),
    (failure) => ends.push(failure),
  );
  return { events, ends, cancel };
}

test.each([
  [400, '', 'invalid'],
  [401, '', 'forbidden'],
  [403, '', 'forbidden'],
  [404, '', 'not-found'],
  [405, '', 'failed'],
  [409, 'AlreadyExists', 'already-exists'],
  [409, 'Conflict', 'conflict'],
  [410, '', 'expired'],
  [422, '', 'invalid'],
  [429, '', 'unavailable'],
  [500, '', 'unavailable'],
  [504, '', 'unavailable'],
])('status %i %s is a failure of its kind, with the words of the server', async (status, reason, kind) => {
  api.failNext(2, { status, reason, message: 'because' });
  const message = `could not get configmaps shop/a: ${status} because`;
  expect(await get()).toEqual({ ok: false, error: { kind, message } });
  const { ends } = watch();
  await poll(() => ends).toEqual([{ kind, message: `could not watch configmaps: ${status} because` }]);
  expect(clock.waiting()).toEqual([]);
});

test('a gateway that answers in HTML is quoted', async () => {
  const gateway = createServer((_, response) => response.writeHead(502).end('<html>\nbad gateway')).listen(
    0,
    '127.0.0.1',
  );
  await once(gateway, 'listening');
  const answer = await client(`http://127.0.0.1:${portOf(gateway)}`).get(NODES, 'n');
  expect(answer).toMatchObject({ error: { kind: 'unavailable', message: expect.stringContaining('502 <html>') } });
  gateway.close();
  gateway.closeAllConnections();
});

test('nobody waits longer than 15 s for an answer, and the connection is not kept', async () => {
  const release = api.hold();
  const answer = get();
  const { ends } = watch();
  await poll(() => api.requests.length).toBe(2);
  clock.advance(15_000);
  const failure = { kind: 'unavailable', message: expect.stringMatching(/no answer within 15 s$/) };
  expect(await answer).toEqual({ ok: false, error: failure });
  await poll(() => ends).toEqual([failure]);
  await poll(api.connections).toBe(0);
  release();
});

test('an API server that is not there is unavailable', async () => {
  const { url } = api;
  await api.stop();
  kube = client(url);
  expect(await get()).toMatchObject({
    error: { kind: 'unavailable', message: expect.stringContaining('ECONNREFUSED') },
  });
  api = await startApiServer();
});

test('who is asked to come back does, once', async () => {
  api.failNext(1, { status: 429, retryAfterSec: 3 });
  api.put(CONFIG_MAPS, configMap('a'));
  const first = get();
  await poll(clock.waiting).toEqual([3000]);
  clock.advance(3000);
  expect(await first).toMatchObject({ ok: true });
  api.failNext(2, { status: 429, retryAfterSec: 1 });
  const second = get();
  await poll(clock.waiting).toEqual([1000]);
  clock.advance(1000);
  expect(await second).toMatchObject({ error: { kind: 'unavailable' } });
  expect(api.requests).toHaveLength(4);
});

test('who is asked to come back much later gives up at once', async () => {
  api.failNext(1, { status: 429, retryAfterSec: 60 });
  expect(await get()).toMatchObject({ error: { kind: 'unavailable' } });
  expect(api.requests).toHaveLength(1);
});

test('a long list comes in pages', async () => {
  for (let n = 0; n < 1201; n += 1) api.put(CONFIG_MAPS, configMap(`c${n}`));
  api.put(CONFIG_MAPS, { metadata: { name: 'x', namespace: 'other' } });
  const { items, resourceVersion } = must(await kube.list(CONFIG_MAPS, { namespace: 'shop' }));
  expect(new Set(items.map(({ metadata }) => metadata?.name)).size).toBe(1201);
  expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
  expect(resourceVersion).toBe(api.object(CONFIG_MAPS, 'x', 'other')?.metadata?.resourceVersion);
  expect(api.requests.map(({ query }) => query.get('limit'))).toEqual(['500', '500', '500']);
  expect(api.requests.some(({ query }) => query.has('resourceVersion'))).toBe(false);
});

test('a list whose version is gone before its last page is asked for whole', async () => {
  for (let n = 0; n < 600; n += 1) api.put(CONFIG_MAPS, configMap(`c${n}`));
  const firstPage = api.requested({ verb: 'list' });
  const listed = kube.list(CONFIG_MAPS);
  await firstPage;
  api.failNext(1, { status: 410 });
  expect(must(await listed).items).toHaveLength(600);
  expect(api.requests.map(({ query }) => query.get('limit'))).toEqual(['500', '500', null]);
});

test('a token that was renewed on disk is used', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'invoke-token-'));
  const tokenFile = join(folder, 'token');
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    writeFileSync(tokenFile, 'one');
    kube = client(api.url, { authProvider: { name: 'tokenFile', config: { tokenFile } } });
    await get();
    writeFileSync(tokenFile, 'two');
    vi.setSystemTime(Date.now() + 61_000);
    await get();
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
    rmSync(tokenFile);
    vi.setSystemTime(Date.now() + 61_000);
    expect(await get()).toMatchObject({ error: { kind: 'unavailable', message: expect.stringContaining('ENOENT') } });
  } finally {
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  }
});

test('writes say whose they are', async () => {
  const made = must(await kube.create(CONFIG_MAPS, configMap('a')));
  must(await kube.replace(CONFIG_MAPS, { ...made, data: { x: '1' } }));
  must(await kube.apply(CONFIG_MAPS, configMap('a', { x: '2' })));
  must(await kube.patch(CONFIG_MAPS, 'a', 'shop', []));
  expect(api.requests.map(({ query }) => query.get('fieldManager'))).toEqual(Array(4).fill('invoke-test'));
  expect(api.requests.map(({ verb, query }) => verb === 'apply' && query.get('force'))).toEqual([
    false,
    false,
    'true',
    false,
  ]);
});

test('a watch ends once: in good order, broken off, or with the version gone', async () => {
  const watches = [watch(), watch(), watch('1')];
  await poll(() => api.watches()).toBe(2);
  await poll(() => watches[2]?.ends).toMatchObject([{ kind: 'expired' }]);
  api.endWatches();
  await poll(() => watches[0]?.ends).toEqual([undefined]);
  watches.push(watch());
  await poll(() => api.watches()).toBe(1);
  api.dropWatches();
  await poll(() => watches[3]?.ends).toMatchObject([{ kind: 'unavailable' }]);
  expect(watches.map(({ ends }) => ends.length)).toEqual([1, 1, 1, 1]);
});

test('a watch that is cancelled says nothing any more and closes its connection, at any time', async () => {
  const early = watch();
  early.cancel();
  const open = watch();
  await poll(() => api.watches()).toBe(1);
  open.cancel();
  await poll(api.connections).toBe(0);
  expect([...early.ends, ...open.ends, ...early.events, ...open.events]).toEqual([]);
});

test('an event that is too long for memory ends its watch', async () => {
  const { ends, events } = watch(must(await kube.list(CONFIG_MAPS)).resourceVersion);
  await poll(() => api.watches()).toBe(1);
  api.put(CONFIG_MAPS, configMap('a', { large: 'x'.repeat(8 * 1024 * 1024) }));
  await poll(() => ends).toMatchObject([{ kind: 'unavailable', message: expect.stringContaining('longer than') }]);
  expect(events).toEqual([]);
});

test('credentials that cannot be read are a failure with a reason', () => {
  const options = {
    fieldManager: 'x',
    clock,
    log: createLog({ level: 'error', format: 'text', write: () => undefined, now: () => 0 }),
  };
  const opened = (kubeConfig: Parameters<typeof openKube>[0]['kubeConfig']) => openKube({ ...options, kubeConfig });
  expect(opened({ kubeconfigFile: '/nowhere/config' })).toMatchObject({ error: expect.stringContaining('ENOENT') });
  expect(opened(new KubeConfig())).toMatchObject({ error: expect.stringContaining('current-context') });
  vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined);
  vi.stubEnv('KUBERNETES_SERVICE_PORT', undefined);
  expect(opened('in-cluster')).toMatchObject({ error: expect.stringContaining('is this a pod?') });
  vi.unstubAllEnvs();
});
