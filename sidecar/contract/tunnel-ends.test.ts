// How tunnels end: each way by itself, both at once when anything breaks, and with the sidecar. And that a slow reader costs
// no memory.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { asking, gone, halfOpen, TalkingApp } from '../testing/talking-app.ts';
import { RawClient, send, to } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
let app: TalkingApp;
beforeEach(async () => {
  mesh = await startMesh();
  web = await mesh.start('web', { config: { gracefulShutdownMs: 50 } });
  ({ sidecar: shop, app } = await talking('shop'));
});
afterEach(() => mesh.close());

async function talking(name: string) {
  const app = new TalkingApp();
  const sidecar = await mesh.start(name, { handler: app.handler, config: { gracefulShutdownMs: 50 } });
  app.listenTo(sidecar);
  return { sidecar, app };
}

interface Tunnel {
  readonly client: RawClient;
  /** The app's end. */
  readonly stream: Socket;
}

async function open(name = 'shop', by = app): Promise<Tunnel> {
  const opened = by.next();
  const client = new RawClient(halfOpen(web.sidecar.ports.http));
  client.write(asking(to(name)));
  const stream = await opened;
  await client.until(/^HTTP\/1.1 101 .*\r\n\r\n/s);
  return { client, stream };
}

async function metrics({ sidecar }: MeshSidecar): Promise<string> {
  return (await send(sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
}

/** What is counted comes a moment after what was seen on a connection. */
const counted = (sidecar: MeshSidecar) => expect.poll(() => metrics(sidecar));

test('an app that has said all still hears', async () => {
  const { client, stream } = await open();
  stream.end('all I had to say');
  expect(await client.ended).toMatch(/all I had to say$/);
  client.write('and I');
  const [heard] = await once(stream, 'data');
  expect(String(heard)).toBe('and I');
  client.socket.end();
  await once(stream, 'end');
  await gone(client.socket);
});

test('a client that has said all still hears', async () => {
  const { client, stream } = await open();
  client.socket.end('a question');
  const [heard] = await once(stream, 'data');
  expect(String(heard)).toBe('a question');
  await once(stream, 'end');
  stream.end('an answer');
  expect(await client.ended).toMatch(/an answer$/);
  await gone(client.socket);
});

test('of one to oneself, each way ends by itself, too', async () => {
  const opened = app.next();
  const client = new RawClient(halfOpen(shop.sidecar.ports.http));
  client.write(asking(to('shop')));
  const stream = await opened;
  stream.end('said');
  expect(await client.ended).toMatch(/said$/);
  client.socket.end('heard');
  const [heard] = await once(stream, 'data');
  expect(String(heard)).toBe('heard');
  await gone(client.socket);
  await counted(shop).toContain('invoke_tunnels_open{direction="outbound"} 0');
});

test('once both have ended, nothing of it is left, and it was counted', async () => {
  const { client, stream } = await open();
  expect(await metrics(web)).toContain('invoke_tunnels_open{direction="outbound"} 1');
  expect(await metrics(shop)).toContain('invoke_tunnels_open{direction="inbound"} 1');
  stream.resume();
  stream.end();
  client.socket.end();
  await counted(web).toContain('invoke_tunnels_open{direction="outbound"} 0');
  await counted(shop).toContain('invoke_tunnels_open{direction="inbound"} 0');
  const seen = await metrics(shop);
  expect(seen).toContain('invoke_requests_total{direction="inbound",peer="web.default",status="101",fault=""} 1');
  expect(seen).toContain('invoke_requests_in_flight{direction="inbound"} 0');
  expect(seen).toContain('invoke_request_duration_seconds_count{direction="inbound",peer="web.default"} 0');
});

test('a client that breaks off breaks it off at the app', async () => {
  const { client, stream } = await open();
  client.socket.resetAndDestroy();
  await gone(stream);
  await counted(shop).toContain('status="101",fault="cancelled"} 1');
  await counted(web).toContain('status="101",fault="cancelled"} 1');
});

test('an app that breaks off breaks it off at the client, who cannot take that for an end', async () => {
  const { client, stream } = await open();
  stream.resetAndDestroy();
  await gone(client.socket);
  expect(client.error).toBe('ECONNRESET');
  await counted(web).toContain('status="101",fault="app-broke"} 1');
});

test('a break is told also where that way has ended already', async () => {
  const first = await open();
  first.stream.end();
  await first.client.ended;
  first.client.socket.resetAndDestroy();
  await gone(first.stream);

  const second = await open();
  second.client.socket.end();
  second.stream.resume();
  await once(second.stream, 'end');
  second.stream.resetAndDestroy();
  await gone(second.client.socket);

  const third = await open();
  third.stream.end();
  await third.client.ended;
  third.stream.destroy();
  // Nobody reads behind an end: that the far side is gone shows when it is written to.
  while (!third.client.socket.destroyed) {
    third.client.write('hello?');
    await new Promise((turn) => setImmediate(turn));
  }
  await counted(shop).toContain('invoke_tunnels_open{direction="inbound"} 0');
});

test('when the sidecar between them is gone, so is the tunnel', async () => {
  const { client, stream } = await open();
  await Promise.all([shop.stop(), gone(client.socket), gone(stream)]);
});

const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** More than the sockets and windows on the way hold together. */
const MUCH_BYTES = 64 * 1024 * 1024;

test('an app that writes to a client who does not read is stopped, and goes on when the client does', async () => {
  const { client, stream } = await open();
  client.socket.pause();
  const bytes = await writeUntilStopped(stream);
  expect(bytes).toBeLessThan(MUCH_BYTES);
  client.socket.resume();
  stream.end('the end');
  expect(await client.ended).toMatch(/the end$/);
  expect(client.received.split('\r\n\r\n')[1]).toHaveLength(bytes + 'the end'.length);
});

test('a client that writes to an app that does not read is stopped, and goes on when the app does', async () => {
  const { client, stream } = await open();
  const bytes = await writeUntilStopped(client.socket);
  expect(bytes).toBeLessThan(MUCH_BYTES);
  let heard = 0;
  stream.on('data', (chunk: Buffer) => {
    heard += chunk.length;
  });
  client.socket.end();
  await once(stream, 'end');
  expect(heard).toBe(bytes);
});

/** How much is written until nothing on this machine takes any more. */
async function writeUntilStopped(stream: Socket): Promise<number> {
  let bytes = 0;
  for (let idleTurns = 0; idleTurns < 500 && bytes < MUCH_BYTES; idleTurns++) {
    while (!stream.writableNeedDrain && bytes < MUCH_BYTES) {
      stream.write(CHUNK);
      bytes += CHUNK.length;
      idleTurns = 0;
    }
    await new Promise((turn) => setImmediate(turn));
  }
  return bytes;
}

test('the end of a sidecar does not wait for tunnels: they are cut at the end of the grace, and forgiven', async () => {
  const { sidecar, app: chat } = await talking('chat');
  const { client, stream } = await open('chat', chat);
  sidecar.sidecar.drain();
  await sidecar.sidecar.drained;
  stream.write('still here');
  await client.until(/still here$/);
  sidecar.sidecar.stop();
  expect(await sidecar.sidecar.done).toBe(0);
  await Promise.all([gone(client.socket), gone(stream)]);
  expect(client.error).toBe('ECONNRESET');
});

test("the end of the caller's sidecar cuts its tunnels, too", async () => {
  const { client, stream } = await open();
  const stopped = web.stop();
  await Promise.all([gone(client.socket), gone(stream)]);
  expect(await stopped).toBe(0);
});
