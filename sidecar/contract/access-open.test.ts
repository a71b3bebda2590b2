// Access policies over gRPC and in tunnels; and what becomes of streams and tunnels that are open when policies change.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CallbackApp, callbackApp, callbackOn } from '../testing/callback-app.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { type TestFeed, testFeed } from '../testing/feed.ts';
import { callerOf, faultOf, type GrpcApp, type GrpcCaller, grpcApp, grpcOn, outcomeOf } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { halfOpen } from '../testing/talking-app.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { Client } from '../testing/web-socket-client.ts';
import { expectFault, parseRaw, RawClient, ScriptedApp, send, to } from './testing.ts';
import { policy, says } from './testing-access.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
let grpcShop: GrpcApp;
let callbackShop: CallbackApp;
let grpc: GrpcCaller;
let sockets: WebSocketApp;
let feed: TestFeed;
const app = new ScriptedApp();
beforeAll(async () => {
  [mesh, feed, grpcShop] = [await startMesh(), testFeed(), await grpcApp()];
  [web, shop] = [await mesh.start('web'), await mesh.start('shop', { handler: app.listener, feed })];
  callbackShop = await callbackApp();
  await mesh.start('grpc-shop', { config: grpcOn(grpcShop), feed });
  await mesh.start('callback-shop', { config: callbackOn(callbackShop.port), feed });
  if (shop.app === undefined) throw new Error('it has an app');
  sockets = new WebSocketApp(shop.app);
  grpc = callerOf(web, 'grpc-shop');
});
beforeEach(() => feed.config.set(says([])));
afterEach(() => {
  app.reset();
  sockets.reset();
});
afterAll(async () => {
  grpc.close();
  await mesh.close();
  grpcShop.close();
  callbackShop.close();
});

const allow = (to: object) => policy('some', { rules: [{ name: 'some', to: [to] }] });
const CLOSED = says([policy('closed', {})]);
/** What else there may be to say of policies, it does not end a call that all of them allow. */
const OPEN = says([policy('open', { default: 'allow' })]);

const handshake = (path = '/chat') =>
  [
    `GET ${to('shop', path)} HTTP/1.1`,
    ...['host: localhost', 'connection: Upgrade', 'upgrade: websocket'],
    ...['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13', '\r\n'],
  ].join('\r\n');

async function say(text: string): Promise<RawClient> {
  const client = await RawClient.connect(web.sidecar.ports.http);
  client.write(text);
  return client;
}

/** That its app has opened. */
async function openTunnels({ sidecar }: MeshSidecar): Promise<number> {
  const { body } = await send(sidecar.ports.metrics ?? 0, { path: '/metrics' });
  return Number(/invoke_tunnels_open\{direction="outbound"\} (\d+)/.exec(String(body))?.[1]);
}

async function openSocket(path = '/chat') {
  const opened = sockets.next();
  const client = await Client.open(`${web.url}${to('shop', path)}`);
  return { client, far: await opened };
}

describe('what a rule is about', () => {
  test('may be methods of gRPC', async () => {
    feed.config.set(says([allow({ grpc: ['shop.v1.Orders/Un*'] })]));
    expect((await grpc.call('Unary', ['x'])).status.code).toBe(Code.OK);
    const denied = await grpc.call('Upload', ['x']);
    expect([denied.status.code, faultOf(denied)]).toEqual([Code.PERMISSION_DENIED, 'denied']);
    expect(denied.status.details).toContain('the default of default/some');
    expect(grpcShop.seen).toHaveLength(1);
  });

  test('may be methods and paths of what is called over InvokeService, or goes to an app by OnInvoke', async () => {
    feed.config.set(says([allow({ methods: ['POST'], paths: ['/orders'] })]));
    const dapr = new DaprClient(web.sidecar.ports.grpc);
    expect((await dapr.invoke({ id: 'shop', method: 'orders', verb: 3 })).status.code).toBe(Code.OK);
    const denied = await dapr.invoke({ id: 'shop', method: 'orders', verb: 2 });
    expect([denied.status.code, faultOf(denied)]).toEqual([Code.PERMISSION_DENIED, 'denied']);
    expectFault(await send(web.sidecar.ports.http, { path: to('callback-shop', '/orders') }), 'denied');
    expect(callbackShop.seen).toHaveLength(0);
    const posted = await send(web.sidecar.ports.http, {
      method: 'POST',
      path: to('callback-shop', '/orders'),
      body: 'x',
    });
    expect([posted.status, callbackShop.seen.length]).toEqual([200, 1]);
    dapr.close();
  });

  test('may be paths of HTTP; a WebSocket is the GET that opens it', async () => {
    feed.config.set(says([allow({ methods: ['GET'], paths: ['/chat'] })]));
    const { client } = await openSocket();
    client.socket.close();
    await client.closed;
    const refused = await say(handshake('/other'));
    expectFault(parseRaw(await refused.until(/\}\s*$/)), 'denied');
    refused.socket.destroy();
  });
});

describe('what is open and no longer permitted', () => {
  test('of HTTP, not answered yet, gets the fault as its answer, and the app is told that nobody waits', async () => {
    const gone = new Promise<void>((told) => {
      app.handler = (_, response) => void response.once('close', told);
    });
    const asked = app.next();
    const answer = send(web.sidecar.ports.http, { path: to('shop', '/slow') });
    await asked;
    feed.config.set(CLOSED);
    expect(expectFault(await answer, 'denied')).toMatch(/^policies have changed, .*default of default\/closed/);
    await gone;
  });

  test('of HTTP, with its answer begun, is cut off', async () => {
    app.handler = (_, response) => void response.write('the first words');
    const client = await say(`GET ${to('shop')} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await client.until(/the first words/);
    feed.config.set(CLOSED);
    expect(await client.ended).not.toMatch(/0\r\n\r\n$/);
  });

  test('of gRPC ends with PERMISSION_DENIED', async () => {
    const stream = grpc.open('Duplex');
    const outcome = outcomeOf(stream);
    stream.write(Buffer.from('hello'));
    await once(stream, 'data');
    feed.config.set(CLOSED);
    const ended = await outcome;
    expect([ended.status.code, faultOf(ended)]).toEqual([Code.PERMISSION_DENIED, 'denied']);
  });

  test('of WebSocket is closed with 1008, on both sides, and nothing more passes', async () => {
    const { client, far } = await openSocket();
    client.send('hello');
    await client.hear(1);
    feed.config.set(CLOSED);
    expect(await client.closed).toEqual({ code: 1008, reason: 'access policies no longer permit it' });
    expect(await far.closed).toBe(1008);
  });

  test('of WebSocket, amid a frame, breaks off', async () => {
    const opened = sockets.next();
    const client = await say(handshake());
    const far = await opened;
    // Twenty bytes are announced.
    far.stream.write(Buffer.concat([Buffer.from([0x82, 20]), Buffer.from('half of it')]));
    await client.until(/half of it$/);
    feed.config.set(CLOSED);
    expect(await client.ended).toMatch(/half of it$/);
    // What the app was sent last was whole.
    expect(await far.closed).toBe(1008);
  });

  test('of WebSocket ends also where the client does not hang up, and says what it likes', async () => {
    const opened = sockets.next();
    const client = new RawClient(halfOpen(web.sidecar.ports.http));
    client.write(handshake());
    const far = await opened;
    await client.until(/\r\n\r\n/);
    const heard: unknown[] = [];
    far.onMessage = (message) => void heard.push(message);
    feed.config.set(CLOSED);
    await client.until(/access policies no longer permit it/);
    // A masked text, whose mask is nought.
    client.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    await far.closed;
    await expect.poll(() => openTunnels(web), { timeout: 20_000 }).toBe(0);
    expect(heard).toEqual([]);
    client.socket.destroy();
  });

  test('is ended by what a newer policy says of it, and everything else goes on', async () => {
    const stream = grpc.open('Duplex');
    const outcome = outcomeOf(stream);
    stream.write(Buffer.from('hello'));
    await once(stream, 'data');
    const { client } = await openSocket();
    const answered = new Promise<ServerResponse>((begun) => {
      app.handler = (_, response) => {
        response.write('begun');
        begun(response);
      };
    });
    const answer = send(web.sidecar.ports.http, { path: to('shop', '/stays') });
    const response = await answered;
    feed.config.set(OPEN);
    feed.config.set(
      says([allow({ paths: ['/stays'] }), policy('grpc', { rules: [{ name: 'g', to: [{ grpc: ['*/Duplex'] }] }] })]),
    );
    expect((await client.closed).code).toBe(1008);
    response.end(' and done');
    expect(String((await answer).body)).toBe('begun and done');
    stream.write(Buffer.from('still here'));
    await once(stream, 'data');
    stream.end();
    expect((await outcome).status.code).toBe(Code.OK);
  });
});
