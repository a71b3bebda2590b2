// Who may open a WebSocket, to which apps, and for how long.
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { identityOf, type Mesh, startMesh } from '../testing/mesh.ts';
import { asking, gone, halfOpen, TalkingApp } from '../testing/talking-app.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { Client } from '../testing/web-socket-client.ts';
import { expectFault, gotValues, parseRaw, RawClient, to } from './testing.ts';

/** Longer than anything may idle elsewhere. */
const SILENCE_MS = 240_000;
/** Less than a ping may go unanswered. */
const PING_MS = 4000;
const HANDSHAKE = ['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13'];

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

async function say(port: number, text: string): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.write(text);
  return client;
}

test('a page of an allowed origin opens one, others do not', async () => {
  const app = new TalkingApp();
  const allowedOrigins = ['https://shop.example'];
  const page = await mesh.start('page', { handler: app.handler, config: { allowedOrigins, gracefulShutdownMs: 50 } });
  app.listenTo(page);
  const port = page.sidecar.ports.http;
  const own = await say(
    port,
    asking(to('page'), 'websocket', 'origin: https://shop.example', 'sec-fetch-site: cross-site'),
  );
  expect(await own.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 101 /);
  own.socket.destroy();
  const other = await say(port, asking(to('page'), 'websocket', 'origin: https://evil.example', 'connection: close'));
  expectFault(parseRaw(await other.ended), 'origin-refused');
  other.socket.destroy();
});

test('the API token is asked for, and the app gets its own', async () => {
  const app = new TalkingApp();
  const plain = await mesh.start('plain', { handler: app.handler });
  app.listenTo(plain);
  const before = { port: plain.app && portOf(plain.app), host: '127.0.0.1', token: 'of-the-app' };
  const config = { apiToken: 'of-the-api', app: before, gracefulShutdownMs: 50 };
  const guarded = await mesh.start('guarded', { config });
  const port = guarded.sidecar.ports.http;
  const without = await say(port, asking(to('guarded'), 'websocket', 'connection: close'));
  expectFault(parseRaw(await without.ended), 'token-invalid');
  without.socket.destroy();
  const client = await say(port, asking(to('guarded'), 'websocket', 'dapr-api-token: of-the-api'));
  await client.until(/^HTTP\/1.1 101 /);
  expect(gotValues(app.asked.at(-1), 'dapr-api-token')).toEqual(['of-the-app']);
  client.socket.destroy();
});

test('an app behind TLS is asked over TLS, and each way ends by itself there, too', async () => {
  const { svid } = mesh.ca.issue(identityOf('secret'), { uris: [], ipAddresses: ['127.0.0.1'] });
  const server = createHttps({ key: svid.keyPem, cert: svid.chainPem });
  const streams: TLSSocket[] = [];
  server.on('upgrade', (_request, stream: TLSSocket) => {
    streams.push(stream);
    stream.write('HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tls = { caPem: mesh.ca.anchors.join('') };
  const app = { port: portOf(server), host: '127.0.0.1', protocol: 'https', token: undefined, tls } as const;
  const secret = await mesh.start('secret', { config: { app, gracefulShutdownMs: 50 } });
  const client = new RawClient(halfOpen(secret.sidecar.ports.http));
  client.write(asking(to('secret')));
  await client.until(/^HTTP\/1.1 101 .*\r\n\r\n/s);
  const [stream] = streams;
  if (stream === undefined) throw new Error('the app was not asked');
  client.socket.end('a question');
  expect(String((await once(stream, 'data'))[0])).toBe('a question');
  stream.end('an answer');
  expect(await client.ended).toMatch(/an answer$/);
  await gone(client.socket);
  server.close();
});

test.each([
  ['to oneself', 'quiet'],
  ['to another', 'silent'],
])('one %s in which nobody says anything stays open past every timer', async (_what, name) => {
  const clock = manualClock();
  const web = await mesh.start('quiet', { clock, handler: (_, response) => response.end() });
  const other = name === 'quiet' ? web : await mesh.start(name, { clock, handler: (_, response) => response.end() });
  if (other.app === undefined) throw new Error('it has an app');
  const app = new WebSocketApp(other.app);
  const client = await Client.open(`${web.url}${to(name)}`, { headers: { 'invoke-timeout': '1S' } });
  for (let passedMs = 0; passedMs < SILENCE_MS; passedMs += PING_MS) {
    clock.advance(PING_MS);
    // Behind the pings of the sidecars on the same connection: once these are answered, so are those.
    for (let calls = 0; calls < 2; calls++) await (await fetch(`${web.url}${to(name)}`)).text();
  }
  client.send('still there?');
  expect(await client.hear(1)).toEqual(['still there?']);
  client.socket.close();
  await client.closed;
  await expect.poll(() => app.openStreams).toBe(0);
  await Promise.all([web.stop(), other.stop()]);
});

test('an app that does not answer the handshake in time is given up', async () => {
  const clock = manualClock();
  const slow = await mesh.start('slow', { clock, handler: (_, response) => response.end() });
  const asked = new Promise<void>((tell) => {
    slow.app?.once('upgrade', (_request, stream) => {
      stream.on('error', () => undefined);
      tell();
    });
  });
  const lines = [...HANDSHAKE, 'invoke-timeout: 5S', 'connection: close'];
  const client = await say(slow.sidecar.ports.http, asking(to('slow'), 'websocket', ...lines));
  await asked;
  clock.advance(5000);
  expectFault(parseRaw(await client.ended), 'timeout');
  client.socket.destroy();
});
