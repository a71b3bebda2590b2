// WebSocket through two sidecars: what a client and an app that speak it are promised. The client is the platform's own.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Message, WebSocketApp } from '../testing/web-socket-app.ts';
import { Client, type OpenOptions } from '../testing/web-socket-client.ts';
import { expectFault, gotNames, gotValues, type Pair, pairForAll, parseRaw, RawClient, send, to } from './testing.ts';

let pair: Pair;
let app: WebSocketApp;
let ownApp: WebSocketApp;

pairForAll((started) => {
  pair = started;
});
beforeAll(() => {
  if (pair.callee.app === undefined || pair.caller.app === undefined) throw new Error('both have apps');
  app = new WebSocketApp(pair.callee.app);
  ownApp = new WebSocketApp(pair.caller.app);
});
afterEach(() => {
  app.reset();
  ownApp.reset();
});

const open = (path = '/chat', options?: OpenOptions) => Client.open(`${pair.caller.url}${to('callee', path)}`, options);

/** The handshake of a client that says exactly this. */
function handshake(path: string, ...lines: readonly string[]): string {
  return [
    `GET ${path} HTTP/1.1`,
    'host: localhost',
    'connection: Upgrade',
    ...['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13'],
    ...lines,
    '\r\n',
  ].join('\r\n');
}

async function say(text: string): Promise<RawClient> {
  const client = await RawClient.connect(pair.port);
  client.write(text);
  return client;
}

test('the app is asked for a WebSocket as it would be without sidecars, and told who calls', async () => {
  const opened = app.next();
  const client = await open('/chat/%E2%82%AC?room=1', { protocols: ['v2.chat', 'v1.chat'], headers: { 'x-a': 'b' } });
  const { request } = await opened;
  expect([request.method, request.httpVersion, request.url]).toEqual(['GET', '1.1', '/chat/%E2%82%AC?room=1']);
  expect(gotValues(request, 'connection')).toEqual(['upgrade']);
  expect(gotValues(request, 'upgrade')).toEqual(['websocket']);
  expect(gotValues(request, 'sec-websocket-version')).toEqual(['13']);
  expect(gotValues(request, 'x-a')).toEqual(['b']);
  expect(gotValues(request, 'dapr-caller-app-id')).toEqual(['caller']);
  expect(gotValues(request, 'invoke-caller-id')).toEqual(['spiffe://test.local/ns/default/caller']);
  expect(gotValues(request, 'traceparent')).toHaveLength(1);
  expect(gotNames(request)).not.toContain('content-length');
  expect(client.socket.protocol).toBe('v2.chat');
  client.socket.close();
  await client.closed;
});

test('the header form opens one, on any path', async () => {
  const opened = app.next();
  const client = await Client.open(`${pair.caller.url}/any/path?a=1`, { headers: { 'dapr-app-id': 'callee' } });
  const { request } = await opened;
  expect(request.url).toBe('/any/path?a=1');
  expect(gotNames(request)).not.toContain('dapr-app-id');
  client.socket.close();
  await client.closed;
});

test('who claims to be another caller is not believed', async () => {
  const opened = app.next();
  const client = await open('/', { headers: { 'dapr-caller-app-id': 'boss', 'invoke-caller-id': 'spiffe://boss' } });
  const { request } = await opened;
  expect(gotValues(request, 'dapr-caller-app-id')).toEqual(['caller']);
  expect(gotValues(request, 'invoke-caller-id')).toEqual(['spiffe://test.local/ns/default/caller']);
  client.socket.close();
  await client.closed;
});

test('an app opens one to itself', async () => {
  const opened = ownApp.next();
  const client = await Client.open(`${pair.caller.url}${to('caller', '/self')}`);
  client.send('to myself');
  expect(await client.hear(1)).toEqual(['to myself']);
  expect(gotValues((await opened).request, 'dapr-caller-app-id')).toEqual(['caller']);
  client.socket.close(1000, 'enough');
  expect(await client.closed).toEqual({ code: 1000, reason: '' });
});

test('ten thousand messages come back, text and binary, in order', async () => {
  const client = await open();
  const sent: Message[] = [];
  for (let i = 0; i < 10_000; i++) sent.push(i % 2 === 0 ? `message ${i}` : Buffer.from(`bytes ${i}`));
  for (const message of sent) client.send(message);
  expect(await client.hear(sent.length)).toEqual(sent);
  client.socket.close();
  await client.closed;
});

test('large messages pass, larger than any body that is not a tunnel may be', async () => {
  const client = await open();
  const large = Buffer.alloc(9 * 1024 * 1024, 'abcdefghijk');
  client.send(large);
  client.send('x'.repeat(70_000));
  const [first, second] = await client.hear(2);
  expect(Buffer.isBuffer(first) && first.equals(large)).toBe(true);
  expect(second).toHaveLength(70_000);
  client.socket.close();
  await client.closed;
});

test('both sides talk at once', async () => {
  const opened = app.next();
  const client = await open();
  const socket = await opened;
  const heard: Message[] = [];
  const heardAll = new Promise<void>((done) => {
    socket.onMessage = (message) => {
      heard.push(message);
      if (heard.length === 1000) done();
    };
  });
  for (let i = 0; i < 1000; i++) {
    client.send(`up ${i}`);
    socket.send(`down ${i}`);
  }
  await Promise.all([client.hear(1000), heardAll]);
  expect(client.heard.at(-1)).toBe('down 999');
  expect(heard.at(-1)).toBe('up 999');
  client.socket.close();
  await client.closed;
});

test('what the app says right behind its handshake is not lost', async () => {
  app.onOpen = (socket) => socket.send('welcome');
  const client = await open();
  expect(await client.hear(1)).toEqual(['welcome']);
  client.socket.close();
  await client.closed;
});

test("the client's close, and its reason, reach the app, and the app's answer the client", async () => {
  const opened = app.next();
  const client = await open();
  const socket = await opened;
  client.socket.close(4001, 'tired');
  expect(await socket.closed).toBe(4001);
  expect(await client.closed).toEqual({ code: 4001, reason: '' });
});

test("the app's close reaches the client", async () => {
  const opened = app.next();
  const client = await open();
  const socket = await opened;
  socket.close(4002, 'go away');
  expect(await client.closed).toEqual({ code: 4002, reason: 'go away' });
  expect(await socket.closed).toBe(4002);
});

test('pings are answered by who is asked, not on the way', async () => {
  const opened = app.next();
  const client = await say(handshake(to('callee'), 'upgrade: websocket'));
  await client.until(/\r\n\r\n/);
  (await opened).ping('are you there');
  expect(await client.until(/are you there/)).toMatch(/\x89\x0dare you there$/);
  client.socket.destroy();
});

test('an app that refuses is heard, with its status and its words, and the connection serves on', async () => {
  app.instead = (_request, stream) =>
    stream.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\nx-why: tired\r\n\r\nnot today');
  const client = await say(handshake(to('callee'), 'upgrade: websocket'));
  const refused = await client.until(/not today$/);
  expect(refused).toMatch(/^HTTP\/1.1 403 /);
  expect(refused).toContain('x-why: tired\r\n');
  expect(refused).not.toMatch(/^(upgrade|invoke-fault):/im);
  client.write(`GET ${to('callee')} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  expect(await client.ended).toContain('HTTP/1.1 200 ');
  client.socket.destroy();
});

test('an app that knows no WebSocket answers as it likes', async () => {
  // A server without a listener for upgrades takes such a request for a plain one.
  const plain = await pair.mesh.start('plain', { handler: (_, response) => response.end('a page') });
  const client = await say(handshake(to('plain'), 'upgrade: websocket'));
  expect(await client.until(/a page$/)).toMatch(/^HTTP\/1.1 200 /);
  client.socket.destroy();
  await plain.stop();
});

test('an app that switches to what it was not asked for is no answer', async () => {
  app.instead = (_request, stream) => stream.write('HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n');
  const client = await say(handshake(to('callee'), 'upgrade: websocket', 'connection: close'));
  const message = expectFault(parseRaw(await client.ended), 'app-broke');
  expect(message).toContain('h2c');
  client.socket.destroy();
});

test('of a web page, a WebSocket is refused as any other request is', async () => {
  const client = await say(
    handshake(to('callee'), 'upgrade: websocket', 'origin: https://evil.example', 'connection: close'),
  );
  expectFault(parseRaw(await client.ended), 'origin-refused');
  client.socket.destroy();
});

test('an app that nobody knows is named in the refusal', async () => {
  const client = await say(handshake(to('nobody'), 'upgrade: websocket', 'connection: close'));
  expect(expectFault(parseRaw(await client.ended), 'unknown-app')).toContain('nobody');
  client.socket.destroy();
});

test('a POST asks for no WebSocket: it passes as plain HTTP', async () => {
  const headers = ['connection', 'upgrade', 'upgrade', 'websocket'];
  const { status } = await send(pair.port, { method: 'POST', path: to('callee'), headers, body: 'x' });
  expect(status).toBe(200);
  expect(gotNames(pair.app.seen[0])).not.toContain('upgrade');
});
