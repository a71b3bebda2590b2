// What a replica promises whoever connects, told by a client that may do anything.
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { TRUST_BUNDLE } from '../../api/pod.ts';
import type { FeedHello, FeedMessage } from '../../api/proto/feed.ts';
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import type { Credentials } from '../../identity/svid.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { anonymousClientOptions } from '../../identity/tls.ts';
import { silentLog } from '../../kit/log.ts';
import { renderMetrics } from '../../kit/metrics.ts';
import { err, must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { followClaims } from '../claims.ts';
import type { ServingPart } from '../serving-part.ts';
import { memoryStore, memoryStores } from '../testing-stores.ts';
import { type FeedOptions, startFeed } from './feed.ts';
import { subscribe, type TestClient } from './testing-client.ts';

const ca = throwawayCa();
const operator = must(parseSpiffeId('spiffe://cluster.local/ns/invoke-system/invoke-operator'));
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const hello: FeedHello = { epoch: 0, versions: [], sidecarVersion: 'test' };
/** No epoch has ever begun, and none can. */
const emptyKube = {
  get: async () => err({ kind: 'not-found', message: 'no such Lease' } as const),
  create: async () => err({ kind: 'unavailable', message: 'the API server is down' } as const),
  replace: async () => err({ kind: 'unavailable', message: 'the API server is down' } as const),
};

let feed: ServingPart;
let heard: Parameters<FeedOptions['heard']>[];
let clients: TestClient[];
const clock = manualClock();
const credentials = snapshot<Credentials | undefined>(ca.issue(operator));
const accessPolicies = memoryStore<AccessPolicy>();
const trustBundles = memoryStore<V1ConfigMap>();
const stores = memoryStores({ accessPolicies, trustBundles });

beforeEach(async () => {
  [clients, heard] = [[], []];
  trustBundles.put({
    metadata: { name: TRUST_BUNDLE, namespace: 'invoke-system' },
    data: { anchors: ca.anchors.join() },
  });
  feed = await start();
});
afterEach(async () => {
  for (const client of clients) client.close();
  await feed.stop();
});

async function start(over: Partial<Parameters<typeof startFeed>[0]> = {}): Promise<ServingPart> {
  return must(
    await startFeed({
      ...{
        stores,
        claims: followClaims(stores),
        credentials,
        clock,
        log: silentLog,
        kube: emptyKube,
        heard: (self, reports) => void heard.push([self, reports]),
        host: '127.0.0.1',
      },
      trustAnchors: () => {
        const anchors = trustBundles.get(`invoke-system/${TRUST_BUNDLE}`)?.data?.anchors;
        return anchors === undefined ? undefined : Buffer.from(anchors);
      },
      config: { ...operator, defaultAccess: 'allow', ports: { feed: 0 } },
      ...over,
    }),
  );
}

function connect(as = ca.issue(web), to = feed): TestClient {
  const client = subscribe(to.port, as, operator);
  clients.push(client);
  return client;
}

function policy(name: string, padding = 0): AccessPolicy {
  const rules = Array.from({ length: padding }, () => ({ name: 'x'.repeat(1000), action: 'deny' as const }));
  return {
    metadata: { namespace: 'shop', name },
    spec: { mode: 'enforce', default: 'deny', encodedSlash: 'both', rules },
  };
}

function policiesIn(message: FeedMessage | undefined): readonly string[] {
  return message?.part?.kind === 'config' ? message.part.config.resources.map(({ name }) => name) : [];
}

test('nothing is said before a hello, and a hello comes once', async () => {
  const silent = connect();
  silent.send({ interest: [] });
  expect(await silent.ended).toMatchObject({ status: '3', message: expect.stringContaining('hello') });
  const twice = connect();
  twice.send({ hello });
  await twice.received(1);
  twice.send({ hello });
  expect(await twice.ended).toMatchObject({ status: '3' });
});

test('whoever says no hello in time is sent away', async () => {
  const client = connect();
  await expect.poll(() => renderMetrics(feed.families)).toContain('invoke_feed_streams 1');
  clock.advance(10_000);
  expect(await client.ended).toMatchObject({ status: '4' });
});

test('more than a thousand apps at once are refused, with the reason', async () => {
  const apps = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ appId: `a${index}`, namespace: 'shop' }));
  const modest = connect();
  modest.send({ hello, interest: apps(1000) });
  expect((await modest.received(1001)).length).toBe(1001);
  const greedy = connect();
  greedy.send({ hello, interest: apps(1001) });
  expect(await greedy.ended).toMatchObject({ status: '8', message: expect.stringContaining('1000 is the most') });
});

test('one namespace cannot take a replica from all others, however many sidecars it has', async () => {
  const interest = Array.from({ length: 1000 }, (_, i) => ({ appId: `a${i}`, namespace: 'shop' }));
  const greedy = Array.from({ length: 50 }, () => connect());
  for (const client of greedy) {
    client.send({ hello, interest });
    await client.received(1);
    client.stream.pause();
  }
  const oneTooMany = connect();
  oneTooMany.send({ hello, interest });
  expect(await oneTooMany.ended).toMatchObject({
    status: '8',
    message: expect.stringContaining('sidecars of this namespace'),
  });

  // They have said so much that nobody of them is heard for a while; others are.
  const waiting = connect();
  waiting.send({ hello });
  const other = connect(ca.issue(must(parseSpiffeId('spiffe://cluster.local/ns/bank/teller'))));
  other.send({ hello, interest });
  await other.received(2);
  expect(waiting.messages).toEqual([]);
  greedy[0]?.close();
  await expect.poll(() => renderMetrics(feed.families)).toContain('invoke_feed_streams 51\n');
  clock.advance(200);
  await waiting.received(1);
  clock.advance(1000);
  waiting.send({ interest });
  await waiting.received(2);
});

test('a connection carries one stream: more of them would be more to hold for nothing', async () => {
  const { stream } = connect();
  const { session } = stream;
  expect(session).toBeDefined();
  if (session === undefined) return;
  const [{ maxConcurrentStreams }] = await once(session, 'remoteSettings');
  expect(maxConcurrentStreams).toBe(1);
});

test('names that are none are refused', async () => {
  const client = connect();
  client.send({ hello, interest: [{ appId: '../etc', namespace: 'shop' }] });
  expect(await client.ended).toMatchObject({ status: '3', message: expect.stringContaining('not an app id') });
});

test('without a certificate of our mesh there is no connection', async () => {
  const port = feed.port;
  const expected = { identity: operator, now: Date.now };
  const anonymous = connectTls({ host: '127.0.0.1', port, ...anonymousClientOptions(ca.anchors, expected) });
  await new Promise((done) =>
    anonymous
      .on('error', () => undefined)
      .on('end', () => anonymous.end())
      .resume()
      .once('close', done),
  );
  const stranger = connect(throwawayCa().issue(web));
  stranger.send({ hello });
  expect(await stranger.ended).toMatchObject({ status: 'undefined' });
  const elsewhere = must(parseSpiffeId('spiffe://elsewhere/ns/shop/web'));
  const foreign = connect(ca.issue(elsewhere));
  foreign.send({ hello });
  expect(await foreign.ended).toMatchObject({ status: 'undefined' });
});

test('a connection ends with the certificate that it was made with', async () => {
  const client = connect(ca.issue(web, { notAfter: clock.now() + 60_000 }));
  client.send({ hello });
  await client.received(1);
  clock.advance(60_000);
  await client.ended;
});

test('a subscriber that reads slowly is told the newest, and never what lies between', async () => {
  accessPolicies.put(policy('v0', 500));
  const client = connect();
  client.stream.pause();
  client.send({ hello });
  await expect.poll(() => renderMetrics(feed.families)).toContain('invoke_feed_messages_total 1');
  for (let version = 1; version <= 20; version++) {
    accessPolicies.remove(`shop/v${version - 1}`);
    accessPolicies.put(policy(`v${version}`));
    clock.advance(100);
  }
  client.stream.resume();
  expect((await client.received(2)).map(policiesIn)).toEqual([['v0'], ['v20']]);
  const metrics = renderMetrics(feed.families);
  expect(metrics).toContain('invoke_feed_messages_total 2');
  expect(Number(/^invoke_feed_sent_bytes_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(500_000);
  accessPolicies.remove('shop/v20');
});

test('before everything was listed once, nothing is told: an empty store would say that all is allowed', async () => {
  let finish: () => void = () => undefined;
  const synced = new Promise<void>((done) => {
    finish = done;
  });
  const said: string[] = [];
  const log = { ...silentLog, with: () => ({ ...silentLog, debug: (line: string) => void said.push(line) }) };
  const starting = await start({ log, stores: { ...stores, accessPolicies: { ...accessPolicies, synced } } });
  expect(starting.unready()).toContain('first list');
  const client = connect(ca.issue(web), starting);
  client.send({ hello });
  await expect.poll(() => said).toContain('feed: a sidecar subscribes');
  clock.advance(10_000);
  expect(await client.ended).toMatchObject({ status: '14', message: expect.stringContaining('did not catch up') });
  finish();
  await expect.poll(() => starting.unready()).toBeUndefined();
  client.close();
  await starting.stop();
});

test('without trust anchors nothing is told; when they go for a moment, the last ones stay', async () => {
  const key = `invoke-system/${TRUST_BUNDLE}`;
  const client = connect();
  client.send({ hello });
  await client.received(1);
  trustBundles.remove(key);
  accessPolicies.put(policy('news'));
  clock.advance(100);
  const [, changed] = await client.received(2);
  expect(changed?.part).toMatchObject({ kind: 'config', config: { trustAnchors: Buffer.from(ca.anchors.join()) } });
  accessPolicies.remove('shop/news');

  const fresh = await start();
  expect(fresh.unready()).toContain('no trust anchors');
  const early = connect(ca.issue(web), fresh);
  early.send({ hello });
  expect(await early.ended).toMatchObject({ status: '14', message: expect.stringContaining('trust anchors') });
  early.close();
  await fresh.stop();
});

test('a port can be bound before there is a certificate; then who connects is served', async () => {
  const later = snapshot<Credentials | undefined>(undefined);
  const early = await start({ credentials: later });
  expect(early.unready()).toContain('certificate');
  const tooEarly = connect(ca.issue(web), early);
  await tooEarly.ended;
  later.set(ca.issue(operator));
  const client = connect(ca.issue(web), early);
  client.send({ hello });
  await client.received(1);
  client.close();
  await early.stop();
});

test('a sidecar that invents versions is not served, and no epoch begins while that cannot be written down', async () => {
  const client = connect();
  client.send({ hello: { epoch: 1, versions: [{ kind: 'AccessPolicy', version: 1e15 }], sidecarVersion: 'test' } });
  expect(await client.ended).toMatchObject({
    status: '14',
    message: expect.stringContaining('the API server is down'),
  });
});

test('what a sidecar tells of policies in audit mode is heard under the identity of its certificate, once it is served', async () => {
  const example = { deniedBy: 'shop/next/no', caller: 'spiffe://cluster.local/ns/front/web', operation: 'GET /' };
  const audits = [{ policy: 'next', generation: 1, count: 2, ageMs: 10, ...example }];
  const client = connect();
  client.send({ hello, audits });
  await client.received(1);
  client.send({ audits });
  await expect.poll(() => heard).toEqual([[web, audits]]);
});
