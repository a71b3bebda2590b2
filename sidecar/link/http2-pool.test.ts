// Which connection a gRPC call to the app gets, when there is another, and what is said when there is none.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Clock } from '../../kit/clock.ts';
import { systemClock } from '../../kit/clock.ts';
import type { Result } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf, silentServer } from '../../kit/testing/ports.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import type { ServerOptions } from '../../wire/http2/server.ts';
import type { Requester } from '../../wire/message.ts';
import { request } from '../../wire/testing/h2c-client.ts';
import { type H2cServer, h2cServer } from '../../wire/testing/h2c-server.ts';
import { Recorder } from '../../wire/testing/recorder.ts';
import { AppHttp2Pool, type AppHttp2Problem } from '../app/http2-pool.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Found = Result<Http2ClientConnection, AppHttp2Problem>;

function poolFor(port: number, clock: Clock = systemClock): AppHttp2Pool {
  const pool = new AppHttp2Pool({ host: '127.0.0.1', port }, clock);
  closing.push(() => pool.destroy());
  return pool;
}

async function serverOf(options: Partial<ServerOptions> = {}): Promise<H2cServer> {
  const server = await h2cServer(undefined, options);
  closing.push(() => server.close());
  return server;
}

/** A call that stays open. */
function occupy(connection: Http2ClientConnection): Requester {
  return connection.request(request({ method: 'POST' }), new Recorder());
}

function wait(pool: AppHttp2Pool): Promise<Found> {
  return new Promise((found) => pool.wait(found));
}

async function connectionFrom(pool: AppHttp2Pool): Promise<Http2ClientConnection> {
  const { ready } = pool;
  if (ready !== undefined) return ready;
  const found = await wait(pool);
  if (!found.ok) throw new Error(found.error.cause);
  return found.value;
}

test('calls share a connection while it has room, and another is made when it has none', async () => {
  const server = await serverOf({ streamsMax: 2 });
  const pool = poolFor(server.port);
  const first = await connectionFrom(pool);
  occupy(first);
  expect(pool.ready).toBe(first);
  const open = occupy(first);
  expect(pool.ready).toBeUndefined();
  const second = await connectionFrom(pool);
  expect(second).not.toBe(first);
  occupy(second);
  // The first has room again, and is preferred.
  open.end([]);
  await expect.poll(() => pool.ready).toBe(first);
  expect(server.connections.size).toBe(2);
});

test('many who wait are served by as many connections as they fill', async () => {
  const server = await serverOf({ streamsMax: 10 });
  const pool = poolFor(server.port);
  const used = await Promise.all(
    Array.from(
      { length: 35 },
      () =>
        new Promise<Http2ClientConnection>((taken) =>
          pool.wait((found) => {
            if (!found.ok) throw new Error(found.error.cause);
            occupy(found.value);
            taken(found.value);
          }),
        ),
    ),
  );
  expect(new Set(used).size).toBe(4);
});

test('who has stopped waiting gets none', async () => {
  const server = await serverOf();
  const pool = poolFor(server.port);
  const heard: Found[] = [];
  pool.wait((found) => heard.push(found))();
  await wait(pool);
  expect(heard).toEqual([]);
});

test('a connection that the app drains is used no more, and one that it breaks neither', async () => {
  const server = await serverOf();
  const pool = poolFor(server.port);
  const first = await connectionFrom(pool);
  for (const connection of server.connections) connection.drain();
  await expect.poll(() => pool.ready).toBeUndefined();
  const second = await connectionFrom(pool);
  expect(second).not.toBe(first);
  for (const connection of server.connections) connection.destroy({ kind: 'closed', reason: 'crash' });
  await expect.poll(() => pool.ready).toBeUndefined();
});

test('connections beside the first go after a minute without a call', async () => {
  const clock = manualClock();
  const server = await serverOf({ streamsMax: 1 });
  const pool = poolFor(server.port, clock);
  const open: Requester[] = [];
  for (let i = 0; i < 3; i++) open.push(occupy(await connectionFrom(pool)));
  for (const requester of open.slice(0, 2)) requester.end([]);
  await expect.poll(() => [...server.connections].filter(({ streamCount }) => streamCount === 0).length).toBe(2);
  await expect.poll(() => pool.ready).toBeDefined();
  clock.advance(60_000);
  // The first stays though it is idle, and so does the last, which has a call.
  await expect.poll(() => server.connections.size).toBe(2);
});

test('an app that takes no stream is told from one that is not there', async () => {
  const full = await serverOf({ streamsMax: 0 });
  expect(await wait(poolFor(full.port))).toMatchObject({ ok: false, error: { kind: 'no-room' } });
  const nowhere = await wait(poolFor(await freePort()));
  expect(nowhere).toMatchObject({ ok: false, error: { kind: 'no-connection' } });
});

test('an app that speaks something else, or does not speak, is given up', async () => {
  const other = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(await wait(poolFor(portOf(other)))).toMatchObject({ ok: false, error: { kind: 'no-http2' } });
  const clock = manualClock();
  const mute = await silentServer();
  closing.push(() => mute.close());
  const connected = once(mute, 'connection');
  const found = wait(poolFor(portOf(mute), clock));
  const [socket]: Socket[] = await connected;
  // Its first bytes show that the pool waits for an answer.
  if (socket !== undefined) await once(socket, 'data');
  clock.advance(5000);
  expect(await found).toMatchObject({ ok: false, error: { kind: 'no-http2' } });
});

test('what failed once is tried anew for the next call', async () => {
  const port = await freePort();
  const pool = poolFor(port);
  expect(await wait(pool)).toMatchObject({ ok: false });
  const server = await h2cServer(undefined, {}, port);
  closing.push(() => server.close());
  expect(await wait(pool)).toMatchObject({ ok: true });
});

test('the end of the pool is the end of who waits and of what is open', async () => {
  const server = await serverOf({ streamsMax: 1 });
  const pool = poolFor(server.port);
  const recorder = new Recorder();
  (await connectionFrom(pool)).request(request({ method: 'POST' }), recorder);
  const waiting = wait(pool);
  pool.destroy();
  expect(await waiting).toMatchObject({ ok: false });
  expect((await recorder.outcome()).kind).toBe('abort');
  await expect.poll(() => server.connections.size).toBe(0);
});

async function listening(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket.resume());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return server;
}
