// Reaching the app: on either loopback address, again after it was away, and over connections that are not kept too long.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { startMesh } from '../testing/mesh.ts';
import { authority } from './address.ts';
import { whenPortOpens } from './port-watch.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(host: string, port: number, handler: RequestListener): Promise<number> {
  const server = createServer(handler).listen(port, host);
  servers.push(server);
  await once(server, 'listening');
  return portOf(server);
}

/** Calls the app of a sidecar from itself. */
async function meshWith(host: string, port: number) {
  const mesh = await startMesh();
  const web = await mesh.start('web', { config: { app: { host, port, token: undefined } } });
  return { mesh, call: (path = 'x') => fetch(`${web.url}/v1.0/invoke/web/method/${path}`) };
}

test.each(['127.0.0.1', '::1'])('localhost is found where the app listens on %s alone', async (host) => {
  const port = await serve(host, 0, (request, response) => response.end(request.headers.host));
  const { mesh, call } = await meshWith('localhost', port);
  expect(await (await call()).text()).toBe(`localhost:${port}`);
  await mesh.close();
});

test('an IPv6 address is written in brackets', () => {
  expect(authority('::1', 80)).toBe('[::1]:80');
  expect(authority('127.0.0.1', 80)).toBe('127.0.0.1:80');
});

test('the port is watched until it opens, and no longer', async () => {
  const port = await freePort();
  const opened = new Promise<void>((resolve) => void whenPortOpens('127.0.0.1', port, systemClock, resolve));
  await serve('127.0.0.1', port, (_, response) => response.end());
  await opened;
});

test('a connection is kept for the next call, but not when the app says that it will close it at once', async () => {
  for (const [keepAlive, connections] of [
    [undefined, 1],
    ['timeout=1', 2],
    ['timeout=5', 1],
  ] as const) {
    const sockets = new Set<unknown>();
    const port = await serve('127.0.0.1', 0, (request, response) => {
      sockets.add(request.socket);
      response.writeHead(200, keepAlive === undefined ? {} : { 'keep-alive': keepAlive, connection: 'keep-alive' });
      response.end('x');
    });
    const { mesh, call } = await meshWith('127.0.0.1', port);
    for (let i = 0; i < 2; i++) await (await call()).text();
    expect([keepAlive, sockets.size]).toEqual([keepAlive, connections]);
    await mesh.close();
  }
});
