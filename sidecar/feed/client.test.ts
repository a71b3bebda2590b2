// How a sidecar keeps what the operator tells it: told by an operator that may say anything, on a clock that is moved by hand.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { startFeed } from './client.ts';
import type { FeedClient, FeedOptions } from './feed.ts';
import { configMessage, endpointsMessage, startTestOperator, type TestOperator } from './testing-operator.ts';

const ca = throwawayCa();
const id = (path: string) => must(parseSpiffeId(`spiffe://cluster.local/ns/${path}`));
const operatorId = id('invoke-system/invoke-operator');
const web = id('shop/web');
const cart = id('shop/cart');

let operator: TestOperator;
let clock = manualClock();
let clients: FeedClient[];
let directory: string;
beforeEach(async () => {
  clients = [];
  clock = manualClock();
  directory = mkdtempSync(join(tmpdir(), 'invoke-feed-'));
  operator = await startTestOperator(ca.issue(operatorId));
});
afterEach(async () => {
  for (const client of clients) client.stop();
  await operator.close();
  rmSync(directory, { recursive: true });
});

function start(over: Partial<FeedOptions> = {}): FeedClient {
  const client = startFeed({
    ...{ address: operator.address, operator: operatorId, self: web, clock, log: silentLog },
    credentials: snapshot(ca.issue(web)),
    snapshotFile: join(directory, 'snapshot'),
    random: () => 0.5,
    sidecarVersion: '1.2.3',
    ...over,
  });
  clients.push(client);
  return client;
}

const config = (shape?: Parameters<typeof configMessage>[1]) => configMessage(ca.anchors, shape);
const names = (client: FeedClient) => client.config.current()?.resources.map(({ name }) => name);
const isLive = (client: FeedClient) => expect.poll(() => client.state().kind).toBe('live');

/** A client that was told its first config. */
async function startLive(over: Partial<FeedOptions> = {}) {
  const client = start(over);
  const stream = await operator.subscribed(1);
  stream.tell(config());
  await isLive(client);
  return { client, stream };
}

test('says who it is by its certificate alone, and what it holds already', async () => {
  const { client, stream } = await startLive();
  expect((await stream.said(1))[0]).toEqual({
    hello: { epoch: 0, versions: [], sidecarVersion: '1.2.3' },
    interest: [],
  });
  stream.tell(config({ epoch: 7, version: 9 }));
  await expect.poll(() => client.config.current()?.epoch).toBe(7);
  stream.end(14, 'stopping');
  await stream.gone;
  await expect.poll(() => client.state().kind).toBe('stale');
  const [request] = await (await soon(operator.subscribed(2))).said(1);
  expect(request?.hello).toMatchObject({ epoch: 7, versions: [{ kind: 'AccessPolicy', version: 9 }] });
});

test('waits for a certificate, and connects when there is one', async () => {
  const credentials = snapshot<Credentials | undefined>(undefined);
  const client = start({ credentials });
  expect(client.state()).toEqual({ kind: 'waiting', lastError: 'this sidecar has no certificate yet', sinceMs: 0 });
  credentials.set(ca.issue(web));
  (await operator.subscribed(1)).tell(config());
  await isLive(client);
});

test('a renewed certificate makes a new connection, and nothing that is known is lost', async () => {
  const credentials = snapshot<Credentials | undefined>(ca.issue(web));
  const { client, stream } = await startLive({ credentials });
  credentials.set(ca.issue(web));
  await stream.gone;
  expect(names(client)).toEqual(['policy']);
  (await operator.subscribed(2)).tell(config());
  await isLive(client);
});

test('a connection is made anew when a certificate of either end is half over', async () => {
  const { client, stream } = await startLive({
    credentials: snapshot(ca.issue(web, { notAfter: clock.now() + 10_000 })),
  });
  clock.advance(5000);
  await stream.gone;
  await operator.subscribed(2);
  expect(client.state()).toMatchObject({ kind: 'stale', lastError: undefined });
});

test('whoever is not the operator is not believed, and the state says so', async () => {
  const impostor = await startTestOperator(ca.issue(id('shop/invoke-operator')));
  const client = start({ address: impostor.address });
  await expect
    .poll(() => client.state())
    .toMatchObject({
      kind: 'waiting',
      lastError: expect.stringMatching(/not to be trusted as .*invoke-system\/invoke-operator/),
    });
  client.stop();
  await impostor.close();
});

test('an operator that cannot be reached is tried ever more slowly, at most 10 s apart', async () => {
  const tries: number[] = [];
  const log = {
    ...silentLog,
    with: () => log,
    warn: (_message: string, fields?: object) => void tries.push(Number({ retryInMs: 0, ...fields }.retryInMs)),
  };
  const { address } = operator;
  await operator.close();
  const client = start({ address, log, random: () => 0.999_999 });
  for (let count = 1; count <= 8; count++) {
    await expect.poll(() => tries.length).toBe(count);
    clock.advance(tries.at(-1) ?? 0);
    clock.advance(1);
  }
  expect(tries.slice(0, 8)).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  expect(client.state()).toMatchObject({
    kind: 'waiting',
    lastError: expect.stringContaining('check that the operator'),
  });
  client.stop();
  operator = await startTestOperator(ca.issue(operatorId));
});

test('a config that is older than the last is refused, and another replica is asked', async () => {
  const { client, stream } = await startLive();
  stream.tell(config({ version: 9, names: ['newest'] }));
  await expect.poll(() => names(client)).toEqual(['newest']);
  stream.tell(config({ version: 8, names: ['older'] }));
  await stream.gone;
  expect(names(client)).toEqual(['newest']);
  expect(client.state()).toMatchObject({ kind: 'stale', lastError: expect.stringContaining('we have had 9') });
  const again = await soon(operator.subscribed(2));
  again.tell(config({ epoch: 2, version: 1, names: ['of the new epoch'] }));
  await expect.poll(() => names(client)).toEqual(['of the new epoch']);
  again.tell(config({ epoch: 1, version: 99, names: ['of the old epoch'] }));
  await again.gone;
  expect(names(client)).toEqual(['of the new epoch']);
});

test.each([
  ['a spec that is no JSON', () => config({ version: 2, spec: '{' }), 'no JSON'],
  ['trust anchors that are none', () => configMessage(['nonsense'], { version: 2 }), 'trust anchors'],
])('a config with %s is refused whole', async (_what, broken, reason) => {
  const { client, stream } = await startLive();
  stream.tell(broken());
  await stream.gone;
  expect(names(client)).toEqual(['policy']);
  expect(client.state()).toMatchObject({ kind: 'stale', lastError: expect.stringContaining(reason) });
});

test.each([
  ['no message', Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff])],
  ['a message without end', Buffer.from([0, 0xff, 0xff, 0xff, 0xff])],
])('%s ends the connection, and nothing else', async (_what, bytes) => {
  const { client, stream } = await startLive();
  stream.tellBytes(bytes);
  await stream.gone;
  expect(client.state()).toMatchObject({ kind: 'stale', lastError: expect.stringContaining('message') });
});

test('an operator that stops answering is found out by a ping', async () => {
  const { client } = await startLive();
  operator.freeze();
  clock.advance(15_000);
  expect(client.state()).toMatchObject({ kind: 'stale', lastError: expect.stringContaining('pings') });
});

test('the apps that calls go to are asked for, many at once, and told of as they change', async () => {
  const { client, stream } = await startLive();
  const heard: string[] = [];
  client.changed(({ app }) => void heard.push(app));
  expect([client.watch(cart), client.watch(web), client.watch(cart)]).toEqual([true, true, true]);
  clock.advance(100);
  const [, request] = await stream.said(2);
  expect(request).toEqual({
    interest: [
      { appId: 'cart', namespace: 'shop' },
      { appId: 'web', namespace: 'shop' },
    ],
  });
  stream.tell(endpointsMessage('cart', '10.0.0.1'));
  stream.tell(endpointsMessage('never-asked-for', '10.0.0.9'));
  stream.tell(endpointsMessage('cart', '10.0.0.2'));
  await expect.poll(() => client.endpoints(cart)?.endpoints).toMatchObject([{ host: '10.0.0.2', ready: true }]);
  expect(client.endpoints(cart)).toBe(client.endpoints(cart));
  expect(heard).toEqual(['cart', 'cart']);
});

test('endpoints are believed from the first config on: before, a replica may be behind', async () => {
  const client = start();
  client.watch(cart);
  const stream = await operator.subscribed(1);
  stream.tell(endpointsMessage('cart', '10.0.0.1'));
  stream.tell(config());
  await isLive(client);
  expect(client.endpoints(cart)).toBeUndefined();
  stream.tell(endpointsMessage('cart', '10.0.0.2'));
  await expect.poll(() => client.endpoints(cart)?.endpoints).toMatchObject([{ host: '10.0.0.2' }]);
});

test('after ten minutes without a call an app is asked for no longer', async () => {
  const credentials = snapshot<Credentials | undefined>(undefined);
  const client = start({ credentials });
  client.watch(cart);
  client.watch(web);
  clock.advance(9 * 60_000);
  client.watch(web);
  clock.advance(2 * 60_000);
  credentials.set(ca.issue(web));
  const [request] = await (await operator.subscribed(1)).said(1);
  expect(request?.interest).toEqual([{ appId: 'web', namespace: 'shop' }]);
});

test('a thousand apps are asked for; of the next, DNS alone says', async () => {
  const { client } = await startLive();
  const app = (index: number) => id(`shop/app-${index}`);
  expect(Array.from({ length: 1000 }, (_, index) => client.watch(app(index))).every(Boolean)).toBe(true);
  expect(client.watch(app(1000))).toBe(false);
  expect(client.watch(app(999))).toBe(true);
});

test('endpoints outlive their stream by half a minute, and are back with the next', async () => {
  const { client, stream } = await startLive();
  client.watch(cart);
  clock.advance(100);
  stream.tell(endpointsMessage('cart', '10.0.0.1'));
  await expect.poll(() => client.endpoints(cart)).toBeDefined();
  await operator.close();
  await expect.poll(() => client.state().kind).toBe('stale');
  const heard: string[] = [];
  client.changed(({ app }) => void heard.push(app));
  clock.advance(29_999);
  expect(client.endpoints(cart)).toBeDefined();
  clock.advance(1);
  expect(client.endpoints(cart)).toBeUndefined();
  expect(heard).toEqual(['cart']);

  operator = await startTestOperator(ca.issue(operatorId), operator.address.port);
  const again = await soon(operator.subscribed(1));
  expect((await again.said(1))[0]?.interest).toEqual([{ appId: 'cart', namespace: 'shop' }]);
  again.tell(config());
  again.tell(endpointsMessage('cart', '10.0.0.7'));
  await expect.poll(() => client.endpoints(cart)?.endpoints).toMatchObject([{ host: '10.0.0.7' }]);
});

test('the last config is kept for a restart, for nobody else to read or write', async () => {
  const { client, stream } = await startLive();
  stream.tell(config({ epoch: 3, version: 5, names: ['kept'] }));
  await expect.poll(() => names(client)).toEqual(['kept']);
  client.stop();
  expect(readdirSync(directory)).toEqual(['snapshot']);
  expect(statSync(join(directory, 'snapshot')).mode & 0o777).toBe(0o600);

  await operator.close();
  const restarted = start();
  expect(names(restarted)).toEqual(['kept']);
  expect(restarted.state()).toMatchObject({ kind: 'stale' });
  expect(restarted.config.current()).toEqual(client.config.current());
  operator = await startTestOperator(ca.issue(operatorId), operator.address.port);
  const [request] = await (await soon(operator.subscribed(1))).said(1);
  expect(request?.hello).toMatchObject({ epoch: 3, versions: [{ kind: 'AccessPolicy', version: 5 }] });
});

test('a kept config that is damaged, or of another app, is as good as none', async () => {
  const { client } = await startLive();
  client.stop();
  const file = join(directory, 'snapshot');
  expect(start({ self: cart }).config.current()).toBeUndefined();
  const whole = readFileSync(file);
  for (const at of [0, 20, 90, whole.length - 1]) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(file, damaged);
    expect(start().config.current()).toBeUndefined();
  }
  writeFileSync(file, whole.subarray(0, -1));
  expect(start().config.current()).toBeUndefined();
  writeFileSync(file, whole);
  expect(start().config.current()).toBeDefined();
});

test('where nothing can be kept, the feed goes on', async () => {
  const { client } = await startLive({ snapshotFile: join(directory, 'no', 'such', 'folder') });
  expect(names(client)).toEqual(['policy']);
});

/** Waits, while the clock goes on in steps that no connection is too slow for. */
async function soon<T>(wanted: Promise<T>): Promise<T> {
  const state = { isSettled: false };
  void wanted.finally(() => {
    state.isSettled = true;
  });
  const step = () => {
    if (!state.isSettled) clock.advance(50);
    return state.isSettled;
  };
  await expect.poll(step, { interval: 1 }).toBe(true);
  return wanted;
}
