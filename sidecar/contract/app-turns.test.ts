// An app that takes only so many calls at once: the others wait in their order, and leave as soon as nobody wants them any more.
import type { Server, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, ECHO, type GrpcApp, grpcApp, grpcOn, type Unary } from '../testing/grpc-app.ts';
import { listening, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { Client } from '../testing/web-socket-client.ts';
import { expectFault, RawClient, ScriptedApp, send, to } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
let server: Server | undefined;
const app = new ScriptedApp();
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
  server = await listening(app.listener);
  const config = { port: portOf(server), host: '127.0.0.1', token: undefined, maxConcurrency: 1 };
  shop = await mesh.start('shop', { config: { app: config } });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  app.reset();
});
afterAll(() => mesh.close());

const call = (path = '/', more = {}) => send(web.sidecar.ports.http, { path: to('shop', path), ...more });
const waiting = async (): Promise<number> => {
  const page = await send(shop.sidecar.ports.metrics ?? 0, { path: '/metrics' });
  return Number(/^invoke_app_calls_waiting (\d+)$/m.exec(page.body.toString())?.[1] ?? 0);
};
const untilWaiting = (count: number) => expect.poll(waiting).toBe(count);

/** A call that holds the only turn, until it is told to end. */
async function occupy(): Promise<() => Promise<void>> {
  const inside = Promise.withResolvers<ServerResponse>();
  app.handler = (_request, response) => inside.resolve(response);
  const answer = call('/first');
  const response = await inside.promise;
  app.reset();
  return async () => {
    response.end();
    expect((await answer).status).toBe(200);
  };
}

/** An HTTP client whose going away the sidecar sees at once. */
async function leaver(path: string, more = ''): Promise<RawClient> {
  const client = await RawClient.connect(web.sidecar.ports.http);
  closing.push(() => client.socket.destroy());
  client.write(`GET ${to('shop', path)} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`);
  return client;
}

const seenPaths = () => app.seen.map(({ url }) => url);

test('calls never overlap beyond the limit, and all are served', async () => {
  let inside = 0;
  let most = 0;
  app.handler = (_request, response) => {
    inside += 1;
    most = Math.max(most, inside);
    setImmediate(() => {
      inside -= 1;
      response.end();
    });
  };
  const answers = await Promise.all(Array.from({ length: 30 }, () => call()));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect([most, await waiting()]).toEqual([1, 0]);
});

test('those who wait come in the order in which they came', async () => {
  const release = await occupy();
  const answers = [];
  for (const [index, path] of ['/a', '/b', '/c'].entries()) {
    answers.push(call(path));
    await untilWaiting(index + 1);
  }
  expect(seenPaths()).toEqual([]);
  await release();
  await Promise.all(answers);
  expect(seenPaths()).toEqual(['/a', '/b', '/c']);
});

test('a body that came while its call waited arrives whole', async () => {
  const release = await occupy();
  const body = Buffer.alloc(2 * 2 ** 20, 'body');
  const declared = call('/declared', { method: 'POST', body });
  const chunked = call('/chunked', { method: 'POST', body: [body, body.subarray(0, 5)] });
  await untilWaiting(2);
  await release();
  expect((await declared).body.equals(body)).toBe(true);
  expect((await chunked).body.length).toBe(body.length + 5);
});

test('a waiter whose caller goes away leaves at once, and its place is the next one’s', async () => {
  const release = await occupy();
  const gone = await leaver('/gone');
  await untilWaiting(1);
  const next = call('/next');
  await untilWaiting(2);
  gone.socket.destroy();
  await untilWaiting(1);
  await release();
  expect((await next).status).toBe(200);
  expect(seenPaths()).toEqual(['/next']);
});

test('a waiter whose deadline passes is told so, and nothing of it reaches the app', async () => {
  const release = await occupy();
  expectFault(await call('/late', { headers: ['invoke-timeout', '50m'] }), 'timeout');
  await untilWaiting(0);
  await release();
  expect((await call('/next')).status).toBe(200);
  expect(seenPaths()).toEqual(['/next']);
});

test('a caller who goes away from inside gives the turn back', async () => {
  const arrived = app.next();
  app.handler = () => undefined;
  const gone = await leaver('/gone');
  await arrived;
  app.reset();
  const next = call('/next');
  await untilWaiting(1);
  gone.socket.destroy();
  expect((await next).status).toBe(200);
});

test('a call that breaks, or that cannot be written, gives its turn back', async () => {
  app.handler = (request) => request.socket.destroy();
  expectFault(await call('/broken'), 'app-broke');
  app.reset();
  expect((await call('/next')).status).toBe(200);
});

test('a stream has its turn until its end', async () => {
  const streaming = Promise.withResolvers<ServerResponse>();
  app.handler = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n');
    streaming.resolve(response);
  };
  const events = await leaver('/events');
  await events.until(/data: one/);
  app.reset();
  const next = call('/next');
  await untilWaiting(1);
  expect(seenPaths()).toEqual([]);
  (await streaming.promise).end();
  expect((await next).status).toBe(200);
});

test('a WebSocket has its turn until it is closed, and one that is refused gives it back', async () => {
  if (server === undefined) throw new Error('there is a server');
  const sockets = new WebSocketApp(server);
  closing.push(() => server?.removeAllListeners('upgrade'));
  const client = await Client.open(`${web.url}${to('shop', '/chat')}`);
  const next = call('/next');
  await untilWaiting(1);
  client.send('tea');
  expect(await client.hear(1)).toEqual(['tea']);
  client.socket.close();
  expect((await next).status).toBe(200);
  sockets.instead = (_request, stream) => stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  await expect(Client.open(`${web.url}${to('shop', '/chat')}`)).rejects.toThrow();
  expect((await call('/last')).status).toBe(200);
});

test('a call of the app to itself waits as all do', async () => {
  const release = await occupy();
  const self = send(shop.sidecar.ports.http, { path: to('shop', '/self') });
  await untilWaiting(1);
  await release();
  expect((await self).status).toBe(200);
});

test('gRPC calls wait, too, and one that is given up while it waits is never seen', async () => {
  const orders: GrpcApp = await grpcApp();
  closing.push(() => orders.close());
  const { app: grpcConfig } = grpcOn(orders);
  const narrow = await mesh.start('orders', { config: { app: { ...grpcConfig, maxConcurrency: 1 } } });
  closing.push(() => narrow.stop());
  const caller = callerOf(web, 'orders');
  closing.push(() => caller.close());
  const inside = Promise.withResolvers<() => void>();
  orders.behaviour = {
    ...ECHO,
    unary: (unary: Unary, done) => inside.resolve(() => done(null, unary.request)),
  };
  const first = caller.call('Unary', ['first']);
  const end = await inside.promise;
  const given = caller.open('Unary');
  given.on('error', () => undefined);
  given.write(Buffer.from('given up'));
  const metric = async () => (await send(narrow.sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
  await expect.poll(metric).toMatch(/^invoke_app_calls_waiting 1$/m);
  given.cancel();
  await expect.poll(metric).toMatch(/^invoke_app_calls_waiting 0$/m);
  orders.behaviour = { ...ECHO };
  const last = caller.call('Unary', ['last']);
  end();
  expect([(await first).status.code, (await last).status.code]).toEqual([0, 0]);
  expect(orders.seen).toHaveLength(2);
});
