// A watched kind stays what the API server has, whatever happens to the watch.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog, silentLog } from '../kit/log.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import type { Store } from './store.ts';
import { type ApiServer, startApiServer } from './testing/api-server.ts';
import { CONFIG_MAPS } from './types.ts';
import { type WatchKindOptions, watchKind } from './watch.ts';

type ConfigMap = NonNullable<typeof CONFIG_MAPS.object>;

let api: ApiServer;
let clock: ManualClock;
let store: Store<ConfigMap>;
let heard: string[];

beforeEach(async () => {
  api = await startApiServer();
  clock = manualClock();
  heard = [];
});
afterEach(async () => {
  store.stop();
  await api.stop();
});

const configMap = (name: string, value = '', namespace = 'shop') => ({
  metadata: { name, namespace },
  data: { value },
});
const value = (object: ConfigMap | undefined) => object?.data?.value ?? '-';

function start(options: WatchKindOptions<ConfigMap> = {}, log = silentLog): void {
  store = watchKind(api.kube, CONFIG_MAPS, options, { clock, random: () => 0.5, log });
  store.changed((key, now, before) => heard.push(`${key} ${value(before)}>${value(now)}`));
}

async function watched(options: WatchKindOptions<ConfigMap> = {}): Promise<void> {
  start(options);
  await api.watching(CONFIG_MAPS);
}

const poll = (read: () => unknown) => expect.poll(read, { interval: 5, timeout: 10_000 });
/** The wait before the next try; other waits are longer than any of those. */
const backoffMs = () => clock.waiting().find((ms) => ms <= 30_000);
const verbs = () => api.requests.map(({ verb }) => verb);

async function retried(): Promise<void> {
  await poll(backoffMs).toBeDefined();
  clock.advance(backoffMs() ?? 0);
}

test('a store has what the list has, and follows what the watch tells', async () => {
  api.put(CONFIG_MAPS, configMap('a', '1'));
  start();
  expect(store.version()).toBe(0);
  await store.synced;
  expect(store.all().map(value)).toEqual(['1']);
  api.put(CONFIG_MAPS, configMap('a', '2'));
  api.put(CONFIG_MAPS, configMap('b', '1'));
  api.remove(CONFIG_MAPS, 'a', 'shop');
  await poll(() => heard).toEqual(['shop/a ->1', 'shop/a 1>2', 'shop/b ->1', 'shop/a 2>-']);
  expect(store.get('shop/a')).toBeUndefined();
  expect(store.all()).toEqual([store.get('shop/b')]);
  expect(store.version()).toBe(Number(store.get('shop/b')?.metadata?.resourceVersion) + 1);
});

test('a broken watch resumes where it was, without another list', async () => {
  await watched();
  api.put(CONFIG_MAPS, configMap('a', '1'));
  await poll(() => heard).toHaveLength(1);
  api.dropWatches();
  await poll(() => api.watches()).toBe(0);
  api.put(CONFIG_MAPS, configMap('a', '2'));
  await retried();
  await poll(() => heard).toEqual(['shop/a ->1', 'shop/a 1>2']);
  expect(verbs()).toEqual(['list', 'watch', 'watch']);
});

test('a quiet kind resumes from its last bookmark', async () => {
  await watched({ labelSelector: 'app=none' });
  api.put(CONFIG_MAPS, configMap('a'));
  api.bookmark();
  await poll(() => store.version()).toBe(Number(api.object(CONFIG_MAPS, 'a', 'shop')?.metadata?.resourceVersion));
  api.compact();
  api.dropWatches();
  await retried();
  await api.watching(CONFIG_MAPS);
  expect(verbs()).toEqual(['list', 'watch', 'watch']);
});

test.each(['in the stream', 'as a status'])(
  'a version that is gone (410 %s) leads to a list, of which only differences are told',
  async (how) => {
    for (const name of ['a', 'b', 'c']) api.put(CONFIG_MAPS, configMap(name, '1'));
    await watched();
    heard = [];
    const kept = store.get('shop/a');
    if (how === 'as a status') api.failNext(1, { status: 410 }, { verb: 'watch' });
    api.dropWatches();
    await poll(() => api.watches()).toBe(0);
    api.put(CONFIG_MAPS, configMap('b', '2'));
    api.remove(CONFIG_MAPS, 'c', 'shop');
    api.put(CONFIG_MAPS, configMap('d', '1'));
    api.compact();
    await retried();
    await poll(() => verbs()).toEqual(['list', 'watch', 'watch']);
    await retried();
    await poll(() => heard.toSorted()).toEqual(['shop/b 1>2', 'shop/c 1>-', 'shop/d ->1']);
    expect(store.get('shop/a')).toBe(kept);
    await api.watching(CONFIG_MAPS);
    expect(verbs()).toEqual(['list', 'watch', 'watch', 'list', 'watch']);
  },
);

test('trouble that goes on is met with longer and longer waits, though each watch opens', async () => {
  await watched();
  const waits: (number | undefined)[] = [];
  for (let round = 0; round < 9; round += 1) {
    api.dropWatches();
    await poll(backoffMs).toBeDefined();
    waits.push(backoffMs());
    clock.advance(backoffMs() ?? 0);
    await api.watching(CONFIG_MAPS);
  }
  expect(waits).toEqual([375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  clock.advance(10_000);
  api.dropWatches();
  await poll(backoffMs).toBe(375);
});

test('a server that ends every watch at once is not asked in a tight loop', async () => {
  await watched();
  api.endWatches();
  await poll(backoffMs).toBe(375);
  clock.advance(375);
  await api.watching(CONFIG_MAPS);
  clock.advance(10_000);
  api.endWatches();
  await poll(verbs).toEqual(['list', 'watch', 'watch', 'watch']);
});

test('what cannot be listed yet is listed later', async () => {
  api.failNext(1, { status: 403 });
  api.failNext(1, 'reset');
  api.put(CONFIG_MAPS, configMap('a', '1'));
  start();
  await retried();
  await poll(verbs).toEqual(['list', 'list']);
  await retried();
  await store.synced;
  expect(heard).toEqual(['shop/a ->1']);
});

test('a watch that says nothing for too long is given up, though its connection stands', async () => {
  await watched();
  api.stallWatches();
  api.put(CONFIG_MAPS, configMap('a', '1'));
  clock.advance(299_000);
  expect(store.staleMs()).toBeGreaterThanOrEqual(299_000);
  expect(verbs()).toEqual(['list', 'watch']);
  clock.advance(1_000);
  await retried();
  await poll(() => heard).toEqual(['shop/a ->1']);
  expect(store.staleMs()).toBeLessThan(1000);
  expect(api.watches()).toBe(1);
});

test('a watch that ended in good order and never said a thing is not believed', async () => {
  await watched();
  clock.advance(240_000);
  api.endWatches();
  await poll(verbs).toEqual(['list', 'watch', 'list', 'watch']);
  await api.watching(CONFIG_MAPS);
  clock.advance(200_000);
  api.bookmark();
  await poll(() => store.staleMs()).toBe(0);
  clock.advance(50_000);
  api.endWatches();
  await poll(verbs).toEqual(['list', 'watch', 'list', 'watch', 'watch']);
});

test('a bookmark is a sign of life', async () => {
  await watched();
  clock.advance(200_000);
  expect(store.staleMs()).toBe(200_000);
  api.bookmark();
  await poll(() => store.staleMs()).toBe(0);
  clock.advance(200_000);
  expect(api.watches()).toBe(1);
  expect(verbs()).toEqual(['list', 'watch']);
});

test('a listener that throws is named in the log, and stops nobody', async () => {
  const lines: string[] = [];
  start({}, createLog({ level: 'error', format: 'text', write: (line) => lines.push(line), now: () => 0 }));
  const cancel = store.changed(() => {
    throw new Error('a bug');
  });
  const late: string[] = [];
  store.changed((key) => late.push(key));
  await api.watching(CONFIG_MAPS);
  api.put(CONFIG_MAPS, configMap('a', '1'));
  await poll(() => late).toEqual(['shop/a']);
  cancel();
  api.put(CONFIG_MAPS, configMap('a', '2'));
  await poll(() => heard).toEqual(['shop/a ->1', 'shop/a 1>2']);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/listener.*watched=configmaps key=shop\/a error="a bug"/);
});

test('who asks for a list gets one that began afterwards, together with all who asked meanwhile', async () => {
  const release = api.hold({ verb: 'list' });
  start();
  await poll(verbs).toEqual(['list']);
  api.stallWatches();
  const both = Promise.all([store.relist(), store.relist()]);
  release();
  await store.synced;
  await both;
  await api.watching(CONFIG_MAPS);
  expect(verbs()).toEqual(['list', 'list', 'watch']);
  api.stallWatches();
  api.put(CONFIG_MAPS, configMap('a', '1'));
  await store.relist();
  expect(heard).toEqual(['shop/a ->1']);
  await poll(verbs).toEqual(['list', 'list', 'watch', 'list', 'watch']);
  await poll(() => api.watches()).toBe(1);
});

test('a version that is gone is not watched again, though the list fails', async () => {
  await watched();
  api.dropWatches();
  await poll(() => api.watches()).toBe(0);
  api.put(CONFIG_MAPS, configMap('a', '1'));
  api.compact();
  api.failNext(1, { status: 500 }, { verb: 'list' });
  for (let n = 0; n < 3; n += 1) {
    await retried();
    await poll(() => verbs().length).toBeGreaterThanOrEqual(3 + n);
  }
  await api.watching(CONFIG_MAPS);
  expect(verbs()).toEqual(['list', 'watch', 'watch', 'list', 'list', 'watch']);
});

test('a list that was asked for comes in spite of failures, and the watch goes on meanwhile', async () => {
  await watched();
  const relisted = api.requested({ verb: 'list' });
  api.failNext(1, { status: 500 }, { verb: 'list' });
  const caughtUp = store.relist();
  await relisted;
  await poll(verbs).toEqual(['list', 'watch', 'list', 'watch']);
  api.put(CONFIG_MAPS, configMap('a', '1'));
  await poll(() => heard).toEqual(['shop/a ->1']);
  await retried();
  await caughtUp;
  await poll(verbs).toEqual(['list', 'watch', 'list', 'watch', 'list', 'watch']);
  await api.watching(CONFIG_MAPS);
});

test('every half hour or so the store is compared with the API server', async () => {
  await watched();
  for (let minute = 0; minute < 30; minute += 1) {
    clock.advance(60_000);
    api.bookmark();
    await poll(() => store.staleMs()).toBe(0);
  }
  await poll(verbs).toEqual(['list', 'watch', 'list', 'watch']);
});

test('only what is asked for is kept, and of that only what is selected', async () => {
  const select = ({ metadata }: ConfigMap): ConfigMap => ({ metadata: { ...metadata }, data: { value: 'trimmed' } });
  await watched({ namespace: 'shop', fieldSelector: 'metadata.name=a', select });
  api.put(CONFIG_MAPS, configMap('b', '1'));
  api.put(CONFIG_MAPS, configMap('a', '1', 'other'));
  api.put(CONFIG_MAPS, configMap('a', '1'));
  await poll(() => heard).toEqual(['shop/a ->trimmed']);
});

test('after its end a store asks for nothing and tells nothing', async () => {
  await watched();
  store.stop();
  await poll(() => api.watches()).toBe(0);
  api.put(CONFIG_MAPS, configMap('a', '1'));
  expect(clock.waiting()).toEqual([]);
  expect(verbs()).toEqual(['list', 'watch']);
  expect(heard).toEqual([]);
});
