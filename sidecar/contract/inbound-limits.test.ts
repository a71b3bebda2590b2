// Limits at the one who is called, over real sidecars: how many calls of every protocol are under way at once, who waits, and where a
// call goes that finds no room.
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WritableSnapshot } from '../../kit/snapshot.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import { EMPTY_CONFIG, testFeed } from '../testing/feed.ts';
import { callerOf, ECHO, faultOf, type GrpcApp, grpcApp, grpcOn } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { Client } from '../testing/web-socket-client.ts';
import { headerOf, RawClient, send, to } from './testing.ts';
import { Instance, instance, instances, policies } from './testing-resiliency.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: Instance;
let objects: WritableSnapshot<readonly PlacedResiliency[]>;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  objects = policies();
  web = await mesh.start('web');
  shop = await instance(mesh, 'shop', { resiliencies: objects });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  says();
  shop.reset();
});
afterAll(() => mesh.close());

function says(...inbound: readonly object[]): void {
  objects.set(policies(...inbound.map((one) => ({ inbound: one }))).current());
}

const call = (path = '/', port = web.sidecar.ports.http) => send(port, { path: to('shop', path) });
const paths = () => shop.seen.map(({ url }) => url);

async function metric(name: string, of = shop.sidecar): Promise<string | undefined> {
  const page = await send(of?.sidecar.ports.metrics ?? 0, { path: '/metrics' });
  return page.body.toString().match(new RegExp(`^${name} (.*)$`, 'm'))?.[1];
}
const untilWaiting = (count: number) => expect.poll(() => metric('invoke_inbound_calls_waiting')).toBe(String(count));

/** A call that is under way in the app until it is told to end. */
async function occupy(): Promise<() => Promise<void>> {
  const arrived = shop.next();
  const answer = call('/first');
  const response: ServerResponse = await arrived;
  return async () => {
    response.end();
    expect((await answer).status).toBe(200);
  };
}

describe('over HTTP', () => {
  test('a call that finds no room is 503 with Retry-After, and nothing of it reaches the app', async () => {
    says({ limits: { maxInFlight: 1 } });
    const release = await occupy();
    const refused = await call('/second');
    expect([refused.status, headerOf(refused, 'invoke-fault')]).toEqual([503, 'app-busy']);
    expect(Number(headerOf(refused, 'retry-after'))).toBeGreaterThanOrEqual(1);
    expect(refused.body.toString()).toContain('takes 1 at once, as a Resiliency there has it');
    await release();
    expect((await call('/third')).status).toBe(200);
    expect(paths()).toEqual(['/first', '/third']);
    expect(await metric('invoke_inbound_turned_away_total\\{reason="no-room"\\}')).toBe('1');
    expect(await metric('invoke_inbound_limit')).toBe('1');
  });

  test('those who wait come in their order, and one who hangs up is never seen', async () => {
    says({ limits: { maxInFlight: 1, queueSize: 3, queueTimeout: '60s' } });
    const release = await occupy();
    const gone = await RawClient.connect(web.sidecar.ports.http);
    gone.write(`GET ${to('shop', '/gone')} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await untilWaiting(1);
    const [second] = [call('/second'), await untilWaiting(2)];
    const [third] = [call('/third'), await untilWaiting(3)];
    gone.socket.destroy();
    await untilWaiting(2);
    await release();
    expect([(await second).status, (await third).status]).toEqual([200, 200]);
    expect(paths()).toEqual(['/first', '/second', '/third']);
  });

  test('who waits for too long is turned away', async () => {
    says({ limits: { maxInFlight: 1, queueSize: 3, queueTimeout: '20ms' } });
    const release = await occupy();
    const late = await call('/late');
    expect([late.status, headerOf(late, 'invoke-fault')]).toEqual([503, 'app-busy']);
    await release();
    expect(paths()).toEqual(['/first']);
  });

  test('a call of the app to itself is one of them', async () => {
    says({ limits: { maxInFlight: 1 } });
    const release = await occupy();
    expect((await call('/self', shop.sidecar?.sidecar.ports.http)).status).toBe(503);
    await release();
  });

  test('an edit ends no call that is under way, and counts it', async () => {
    const release = await occupy();
    says({ limits: { maxInFlight: 1, queueSize: 1, queueTimeout: '60s' } });
    const waiting = call('/waiting');
    await untilWaiting(1);
    expect(paths()).toEqual(['/first']);
    await release();
    expect((await waiting).status).toBe(200);
    says();
    expect(await metric('invoke_inbound_limit')).toBe('+Inf');
  });

  test('limits that were taken away and come again count what has gone on all the while', async () => {
    says({ limits: { maxInFlight: 2 } });
    const release = await occupy();
    says();
    says({ limits: { maxInFlight: 1 } });
    expect((await call()).status).toBe(503);
    await release();
    expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
  });

  test('what one instance has no room for, another takes', async () => {
    says({ limits: { maxInFlight: 1 } });
    const release = await occupy();
    const other = await instance(mesh, 'shop', { resiliencies: objects });
    closing.push(() => other.sidecar?.stop());
    for (let number = 0; number < 5; number++) expect((await call('/x')).status).toBe(200);
    await release();
    expect([shop.seen.length, other.seen.length]).toEqual([1, 5]);
  });
});

test('a call that waits and may not come in any more, by a newer policy, is never seen', async () => {
  const feed = testFeed();
  const limits = { inbound: { limits: { maxInFlight: 1, queueSize: 1, queueTimeout: '60s' } } };
  const resource = { namespace: 'default', generation: 1, createdMs: 0 };
  const limited = { ...resource, kind: 'Resiliency', name: 'limits', spec: limits };
  feed.config.set({ ...EMPTY_CONFIG, resources: [limited] });
  const app = new Instance();
  const pod = await mesh.start('pod', { feed, handler: app.handler });
  closing.push(() => pod.stop());
  app.hold();
  const callPod = (path: string) => send(web.sidecar.ports.http, { path: to('pod', path) });
  const calls = [callPod('/first')];
  await expect.poll(() => app.seen.length).toBe(1);
  calls.push(callPod('/waiting'));
  await expect.poll(() => metric('invoke_inbound_calls_waiting', pod)).toBe('1');
  const closed = { ...resource, kind: 'AccessPolicy', name: 'closed', spec: { default: 'deny' } };
  feed.config.set({ ...EMPTY_CONFIG, resources: [limited, closed] });
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([403, 403]);
  expect(app.seen.map(({ url }) => url)).toEqual(['/first']);
});

test('while all instances are full, there are no more tries than the retry budget pays for', async () => {
  says({ limits: { maxInFlight: 1 } });
  const many = await instances(mesh, 'many', 3, { resiliencies: objects });
  for (const { sidecar } of many) closing.push(() => sidecar?.stop());
  const inside = await Promise.all(
    many.map(async (one) => {
      const arrived = one.next();
      const answer = send(one.sidecar?.sidecar.ports.http ?? 0, { path: to('many', '/itself') });
      return { response: await arrived, answer };
    }),
  );
  const fresh = await mesh.start('fresh', { clock: manualClock() });
  closing.push(() => fresh.stop());
  const calls = 100;
  for (let number = 0; number < calls; number++)
    expect((await send(fresh.sidecar.ports.http, { path: to('many', '/x') })).status).toBe(503);
  const tries = await Promise.all(
    many.map(({ sidecar }) => metric('invoke_inbound_turned_away_total\\{reason="no-room"\\}', sidecar)),
  );
  // Its clock stands still, so there is nothing but a fifth of the calls, and what a sidecar starts with.
  expect(tries.reduce((sum, count) => sum + Number(count ?? 0), 0)).toBeLessThanOrEqual(calls * 1.2 + 10);
  for (const { response, answer } of inside) {
    response.end();
    expect((await answer).status).toBe(200);
  }
});

test('a WebSocket is under way until it is closed', async () => {
  says({ limits: { maxInFlight: 1 } });
  const server = shop.sidecar?.app;
  if (server === undefined) throw new Error('there is a server');
  new WebSocketApp(server);
  closing.push(() => server.removeAllListeners('upgrade'));
  const client = await Client.open(`${web.url}${to('shop', '/chat')}`);
  expect((await call()).status).toBe(503);
  await expect(Client.open(`${web.url}${to('shop', '/chat')}`)).rejects.toThrow();
  client.send('tea');
  expect(await client.hear(1)).toEqual(['tea']);
  client.socket.close();
  await client.closed;
  await expect.poll(async () => (await call()).status).toBe(200);
});

test('a gRPC stream is under way until it ends, and one that is given up while it waits is never seen', async () => {
  const app: GrpcApp = await grpcApp();
  closing.push(() => app.close());
  says({ limits: { maxInFlight: 1, queueSize: 1, queueTimeout: '60s' } });
  const orders = await mesh.start('orders', { config: { ...grpcOn(app), resiliencies: objects } });
  closing.push(() => orders.stop());
  const caller = callerOf(web, 'orders');
  closing.push(() => caller.close());

  const stream = caller.open('Duplex');
  const echoed = new Promise((heard) => stream.once('data', heard));
  stream.write(Buffer.from('tea'));
  expect(String(await echoed)).toBe('tea');
  const given = caller.open('Unary');
  given.on('error', () => undefined);
  given.write(Buffer.from('given up'));
  const waiting = () => metric('invoke_inbound_calls_waiting', orders);
  await expect.poll(waiting).toBe('1');
  const refused = await caller.call('Unary', ['x']);
  expect([refused.status.code, faultOf(refused)]).toEqual([14, 'app-busy']);
  given.cancel();
  await expect.poll(waiting).toBe('0');
  expect(app.seen).toHaveLength(1);

  app.behaviour = { ...ECHO };
  const next = caller.call('Unary', ['next']);
  await expect.poll(waiting).toBe('1');
  stream.end();
  stream.resume();
  expect((await next).messages.map(String)).toEqual(['next']);
});
