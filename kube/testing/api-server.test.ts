// The API server for tests keeps the promises that the control plane's code rests on.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import type { WatchEvent } from '../kube.ts';
import { CONFIG_MAPS, PODS, TOKEN_REVIEWS } from '../types.ts';
import { type ApiServer, startApiServer } from './api-server.ts';

let api: ApiServer;
beforeEach(async () => {
  api = await startApiServer();
});
afterEach(() => api.stop());

const configMap = (name: string, data = {}) => ({ metadata: { name, namespace: 'shop' }, data });

test('an object is created once, and read as it was made', async () => {
  const made = must(await api.kube.create(CONFIG_MAPS, configMap('a', { x: '1' })));
  expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { x: '1' }, metadata: { name: 'a' } });
  expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date);
  expect(await api.kube.create(CONFIG_MAPS, configMap('a'))).toMatchObject({ error: { kind: 'already-exists' } });
  expect(await api.kube.get(CONFIG_MAPS, 'a', 'shop')).toEqual({ ok: true, value: made });
  expect(await api.kube.get(CONFIG_MAPS, 'b', 'shop')).toMatchObject({ error: { kind: 'not-found' } });
});

test('of two who replace the same version, the second is told', async () => {
  const made = must(await api.kube.create(CONFIG_MAPS, configMap('a')));
  const first = must(await api.kube.replace(CONFIG_MAPS, { ...made, data: { x: '1' } }));
  expect(await api.kube.replace(CONFIG_MAPS, { ...made, data: { x: '2' } })).toMatchObject({
    error: { kind: 'conflict' },
  });
  expect(api.object(CONFIG_MAPS, 'a', 'shop')).toEqual(first);
});

test('writing what is there already makes no new version', async () => {
  const made = must(await api.kube.apply(CONFIG_MAPS, configMap('a', { x: '1' })));
  const again = must(await api.kube.apply(CONFIG_MAPS, configMap('a', { x: '1' })));
  expect(again).toEqual(made);
  const changed = must(await api.kube.apply(CONFIG_MAPS, configMap('a', { y: '2' })));
  expect(changed.data).toEqual({ x: '1', y: '2' });
});

test('a status changes by its subresource alone', async () => {
  const pod = { metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [] } };
  const made = must(await api.kube.create(PODS, { ...pod, status: { phase: 'Running' } }));
  expect(made.status).toBeUndefined();
  const ran = must(
    await api.kube.apply(
      PODS,
      { ...pod, spec: { containers: [], hostname: 'x' }, status: { phase: 'Running' } },
      'status',
    ),
  );
  expect(ran).toMatchObject({ spec: { containers: [] }, status: { phase: 'Running' } });
  expect(ran.spec?.hostname).toBeUndefined();
  expect(must(await api.kube.apply(PODS, { ...pod, status: { phase: 'Failed' } })).status?.phase).toBe('Running');
});

test('a JSON patch is done whole or not at all', async () => {
  must(await api.kube.create(CONFIG_MAPS, configMap('a', { x: '1' })));
  const refused = await api.kube.patch(CONFIG_MAPS, 'a', 'shop', [
    { op: 'replace', path: '/data/x', value: '2' },
    { op: 'test', path: '/data/x', value: '3' },
  ]);
  expect(refused).toMatchObject({ error: { kind: 'invalid' } });
  const patched = await api.kube.patch(CONFIG_MAPS, 'a', 'shop', [{ op: 'add', path: '/data/a~1b', value: '2' }]);
  expect(must(patched).data).toEqual({ x: '1', 'a/b': '2' });
});

test('a delete means that very object', async () => {
  const made = must(await api.kube.create(CONFIG_MAPS, configMap('a')));
  api.remove(CONFIG_MAPS, 'a', 'shop');
  const other = api.put(CONFIG_MAPS, configMap('a'));
  expect(await api.kube.delete(CONFIG_MAPS, made)).toMatchObject({ ok: true });
  expect(api.objects(CONFIG_MAPS)).toEqual([other]);
  expect(await api.kube.delete(CONFIG_MAPS, other)).toMatchObject({ ok: true });
  expect(await api.kube.delete(CONFIG_MAPS, other)).toMatchObject({ ok: true });
  expect(api.objects(CONFIG_MAPS)).toEqual([]);
});

test('an object with a finalizer goes when the finalizer does', async () => {
  const made = api.put(CONFIG_MAPS, { metadata: { name: 'a', namespace: 'shop', finalizers: ['x/y'] } });
  must(await api.kube.delete(CONFIG_MAPS, made));
  const dying = api.object(CONFIG_MAPS, 'a', 'shop');
  expect(dying?.metadata?.deletionTimestamp).toBeInstanceOf(Date);
  must(await api.kube.patch(CONFIG_MAPS, 'a', 'shop', [{ op: 'remove', path: '/metadata/finalizers' }]));
  expect(api.objects(CONFIG_MAPS)).toEqual([]);
});

test('a question is answered and not kept', async () => {
  api.review(TOKEN_REVIEWS, (review) => ({ ...review, status: { authenticated: review.spec.token === 'good' } }));
  const answer = must(await api.kube.create(TOKEN_REVIEWS, { spec: { token: 'good' } }));
  expect(answer.status?.authenticated).toBe(true);
  expect(api.objects(TOKEN_REVIEWS)).toEqual([]);
});

test('who watches by a label hears of objects that begin and cease to have it', async () => {
  const labelled = (labels: Record<string, string>) => ({ metadata: { name: 'a', namespace: 'shop', labels } });
  const { resourceVersion } = must(await api.kube.list(CONFIG_MAPS));
  api.put(CONFIG_MAPS, labelled({ app: 'a' }));
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const hear = (event: WatchEvent<object>) => {
    events.push(event.kind);
    if (event.kind === 'bookmark') resolve();
  };
  const options = { labelSelector: 'app in (a, b),!old', resourceVersion, timeoutSec: 60 };
  const cancel = api.kube.watch(CONFIG_MAPS, options, hear, () => events.push('ended'));
  await api.watching(CONFIG_MAPS);
  api.put(CONFIG_MAPS, labelled({ app: 'b' }));
  api.put(CONFIG_MAPS, labelled({ app: 'b', old: '' }));
  api.put(CONFIG_MAPS, labelled({ app: 'c' }));
  api.bookmark();
  await promise;
  cancel();
  expect(events).toEqual(['added', 'modified', 'deleted', 'bookmark']);
});

test('a request fails as it was told to, and only that one', async () => {
  api.failNext(1, { status: 403, message: 'not you' }, { verb: 'get', plural: 'configmaps' });
  api.failNext(1, 'reset', { verb: 'list' });
  expect(await api.kube.get(PODS, 'a', 'shop')).toMatchObject({ error: { kind: 'not-found' } });
  expect(await api.kube.get(CONFIG_MAPS, 'a', 'shop')).toMatchObject({
    error: { kind: 'forbidden', message: 'could not get configmaps shop/a: 403 not you' },
  });
  expect(await api.kube.list(CONFIG_MAPS)).toMatchObject({ error: { kind: 'unavailable' } });
  expect(await api.kube.list(CONFIG_MAPS)).toMatchObject({ ok: true });
  expect(api.requests).toHaveLength(4);
});

test('two who apply one status keep out of the way of each other, and take back what they say no longer', async () => {
  const metadata = { name: 'web', namespace: 'shop' };
  const pod = must(await api.kube.create(PODS, { metadata, spec: { containers: [] } }));
  const say = (part: string | undefined, status: object, version?: string) =>
    api.kube.apply(
      PODS,
      { metadata: { ...metadata, ...(version && { resourceVersion: version }) }, status },
      'status',
      part,
    );
  const one = must(await say(undefined, { phase: 'Running', conditions: [{ type: 'A', status: 'True' }] }));
  must(await say('other', { message: 'x', conditions: [{ type: 'B', status: 'True' }] }));
  const both = must(await say(undefined, { conditions: [{ type: 'A', status: 'False' }] })).status;
  expect(both).toEqual({
    message: 'x',
    conditions: [
      { type: 'B', status: 'True' },
      { type: 'A', status: 'False' },
    ],
  });
  expect(must(await say('other', {})).status).toEqual({ conditions: [{ type: 'A', status: 'False' }] });
  for (const { metadata: old } of [pod, one]) {
    expect(await say('other', { message: 'y' }, old?.resourceVersion)).toMatchObject({ error: { kind: 'conflict' } });
  }
});
