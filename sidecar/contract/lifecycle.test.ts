// Stopping: what is in flight finishes, what is new is refused, and the exit code says whether anything was lost.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeRequest } from '../../api/proto/peer-encoding.ts';
import { joined } from '../../api/proto/testing-schema.ts';
import { identityOf, type Mesh, startMesh } from '../testing/mesh.ts';
import { rawPeer } from '../testing/raw-peer.ts';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await startMesh();
});
afterEach(() => mesh.close());

function message(path: string): Buffer {
  const head = { verb: 'GET', path, isCanonicalPath: true, query: '', headers: [] };
  return joined(encodeRequest({ head, data: undefined, seq: 0, trailers: [] }));
}

/** An app whose requests the test answers by hand. */
function held() {
  const arrivals: ((arrival: { request: IncomingMessage; response: ServerResponse }) => void)[] = [];
  return {
    handler: (request: IncomingMessage, response: ServerResponse) => arrivals.shift()?.({ request, response }),
    next: () => new Promise<{ request: IncomingMessage; response: ServerResponse }>((got) => arrivals.push(got)),
  };
}

test('a call in flight finishes while its callee stops; a new one is turned away', async () => {
  const app = held();
  const web = await mesh.start('web');
  const orders = await mesh.start('orders', { handler: app.handler });
  const arrived = app.next();
  const inFlight = fetch(`${web.url}/v1.0/invoke/orders/method/slow`);
  const { response } = await arrived;
  orders.sidecar.stop();

  const late = await fetch(`${web.url}/v1.0/invoke/orders/method/late`);
  expect(late.status).toBe(503);
  expect(late.headers.get('retry-after')).toBe('1');

  response.end('done');
  expect(await (await inFlight).text()).toBe('done');
  expect(await orders.sidecar.done).toBe(0);
});

test('a call in flight finishes while its caller stops; a new one is turned away', async () => {
  const app = held();
  const web = await mesh.start('web');
  await mesh.start('orders', { handler: app.handler });
  const arrived = app.next();
  const inFlight = fetch(`${web.url}/v1.0/invoke/orders/method/slow`);
  const { response } = await arrived;
  web.sidecar.stop();
  response.end('done');
  expect(await (await inFlight).text()).toBe('done');
  expect(await web.sidecar.done).toBe(0);
  await expect(fetch(web.url)).rejects.toThrow();
});

test('while it drains it calls out and is not called', async () => {
  const app = held();
  const web = await mesh.start('web', { handler: (_, response) => response.end() });
  await mesh.start('orders', { handler: app.handler });
  web.sidecar.drain();
  const arrived = app.next();
  const answered = fetch(`${web.url}/v1.0/invoke/orders/method/x`);
  (await arrived).response.end('still here');
  expect(await (await answered).text()).toBe('still here');
  const toSelf = await fetch(`${web.url}/v1.0/invoke/web/method/x`);
  expect(toSelf.headers.get('invoke-fault')).toBe('draining');
  expect((await fetch(`${web.url}/v1.0/healthz`)).status).toBe(503);
  expect((await fetch(`${web.url}/v1.0/healthz/outbound`)).status).toBe(204);
});

test('it says when it has served what it was serving; an event stream is not waited for', async () => {
  const app = held();
  const web = await mesh.start('web');
  const orders = await mesh.start('orders', { handler: app.handler });
  const streamArrived = app.next();
  const stream = fetch(`${web.url}/v1.0/invoke/orders/method/events`);
  const { response: events } = await streamArrived;
  const slowArrived = app.next();
  const slow = fetch(`${web.url}/v1.0/invoke/orders/method/slow`);
  const { response } = await slowArrived;
  let isDrained = false;
  void orders.sidecar.drained.then(() => {
    isDrained = true;
  });
  orders.sidecar.drain();
  events.writeHead(200, { 'content-type': 'text/event-stream' });
  events.write('data: 1\n\n');
  const opened = await stream;
  expect(isDrained).toBe(false);
  response.end('done');
  expect(await (await slow).text()).toBe('done');
  await orders.sidecar.drained;
  events.end();
  await opened.text();
});

test('work that outlasts the grace is cut off, and the exit code says so', async () => {
  const app = held();
  const web = await mesh.start('web');
  const orders = await mesh.start('orders', { handler: app.handler, config: { gracefulShutdownMs: 50 } });
  const arrived = app.next();
  const inFlight = fetch(`${web.url}/v1.0/invoke/orders/method/slow`);
  const { response } = await arrived;
  const aborted = once(response, 'close');
  orders.sidecar.stop();
  const answer = await inFlight;
  expect(answer.status).toBe(502);
  expect(answer.headers.get('invoke-fault')).toBe('app-broke');
  await aborted;
  expect(await orders.sidecar.done).toBe(1);
});

test('an event stream is cut at the end of the grace and forgiven', async () => {
  const app = held();
  const web = await mesh.start('web');
  const orders = await mesh.start('orders', { handler: app.handler, config: { gracefulShutdownMs: 50 } });
  const arrived = app.next();
  const opened = fetch(`${web.url}/v1.0/invoke/orders/method/events`);
  const { response } = await arrived;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: 1\n\n');
  const stream = await opened;
  orders.sidecar.stop();
  await expect(stream.text()).rejects.toThrow();
  expect(await orders.sidecar.done).toBe(0);
});

test('peers are told by GOAWAY in two steps; a call that is on its way meanwhile hears that it was not delivered', async () => {
  const app = held();
  const orders = await mesh.start('orders', { handler: app.handler });
  const peer = await rawPeer(orders.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  const goaways: number[] = [];
  peer.session.on('goaway', (_code, lastStreamId) => goaways.push(lastStreamId));
  const closed = once(peer.session, 'close');
  const arrived = app.next();
  const slow = peer.call([message('/slow')]);
  const { response } = await arrived;

  const late = peer.call([message('/on-its-way')]);
  orders.sidecar.drain();
  expect((await late).trailers['invoke-fault']).toBe('draining');
  response.end();
  expect((await slow).trailers['grpc-status']).toBe('0');
  await closed;
  // The first refuses nothing yet; the last word names the last call that was taken.
  expect(goaways).toEqual([2 ** 31 - 1, 3]);
});

test('an idle connection is closed at once', async () => {
  const orders = await mesh.start('orders', { handler: held().handler });
  const peer = await rawPeer(orders.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  const closed = once(peer.session, 'close');
  orders.sidecar.drain();
  await closed;
});

test('a forced shutdown ends at once with exit code 1', async () => {
  const app = held();
  const web = await mesh.start('web');
  await mesh.start('orders', { handler: app.handler });
  const arrived = app.next();
  const inFlight = fetch(`${web.url}/v1.0/invoke/orders/method/slow`);
  await arrived;
  const headers = { 'dapr-force-shutdown': 'true' };
  expect((await fetch(`${web.url}/v1.0/shutdown`, { method: 'POST', headers })).status).toBe(204);
  expect(await web.sidecar.done).toBe(1);
  await expect(inFlight).rejects.toThrow();
});

test('a connection that never speaks does not hold up the end', async () => {
  const orders = await mesh.start('orders', { handler: held().handler });
  const mute = connect(orders.sidecar.ports.peer, '127.0.0.1');
  await once(mute, 'connect');
  mute.on('error', () => undefined);
  const closed = new Promise((done) => mute.once('close', done));
  orders.sidecar.stop();
  expect(await orders.sidecar.done).toBe(0);
  await closed;
});
