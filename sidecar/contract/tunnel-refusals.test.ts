// Which tunnels there are, and what is said where there is none.
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { promisify } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeUnaryRequest } from '../../api/proto/peer-encoding.ts';
import { joined } from '../../api/proto/testing-schema.ts';
import { encodeTunnel, TUNNEL } from '../../api/proto/tunnel.ts';
import { freePort, portOf, silentServer } from '../../kit/testing/ports.ts';
import { testFeed } from '../testing/feed.ts';
import { identityOf, type Mesh, type MeshApp, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { rawPeer } from '../testing/raw-peer.ts';
import { asking, TalkingApp } from '../testing/talking-app.ts';
import { expectFault, gotValues, parseRaw, RawClient, to } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
const app = new TalkingApp();

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web', { config: { upgradeProtocols: ['talk', 'chat/2'], gracefulShutdownMs: 50 } });
  shop = await talking('shop', app, { config: { upgradeProtocols: ['chat/2'], gracefulShutdownMs: 50 } });
});
afterAll(() => mesh.close());

async function talking(name: string, by: TalkingApp, options: MeshApp = {}): Promise<MeshSidecar> {
  const sidecar = await mesh.start(name, { handler: by.handler, ...options });
  by.listenTo(sidecar);
  return sidecar;
}

async function say(text: string, { sidecar } = web): Promise<RawClient> {
  const client = await RawClient.connect(sidecar.ports.http);
  client.write(text);
  return client;
}

/** The answer to a request for an upgrade that comes to nothing. */
async function refusal(name: string, protocol = 'websocket') {
  const client = await say(asking(to(name), protocol, 'connection: close'));
  return parseRaw(await client.ended);
}

async function opens(name: string, protocol: string): Promise<void> {
  const client = await say(asking(to(name), protocol));
  expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 101 /);
  client.socket.destroy();
}

test('a protocol that both sidecars list passes, and its name is said anew on each hop', async () => {
  const client = await say(asking(to('shop'), 'other, Chat/2', 'connection: x-hop', 'x-hop: 1'));
  expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 101 .*\r\nupgrade: chat\/2\r\n.*connection: upgrade\r\n/s);
  const asked = app.asked.at(-1);
  expect(gotValues(asked, 'upgrade')).toEqual(['chat/2']);
  expect(gotValues(asked, 'connection')).toEqual(['upgrade']);
  expect(gotValues(asked, 'x-hop')).toEqual([]);
  client.socket.destroy();
});

test("what the called app's sidecar does not list is refused there, and the app does not hear of it", async () => {
  const before = app.asked.length;
  expect(expectFault(await refusal('shop', 'talk'), 'unimplemented')).toContain('--upgrade-protocols');
  expect(app.asked).toHaveLength(before);
});

test.each(['nonsense', 'h2c', 'HTTP/2.0', 'TLS/1.2'])(
  'a request that asks for %s passes as if it had not',
  async (protocol) => {
    const client = await say(asking(to('shop'), protocol));
    expect(await client.until(/plain$/)).toMatch(/^HTTP\/1.1 200 /);
    expect(gotValues(app.asked.at(-1), 'upgrade')).toEqual([]);
    client.socket.destroy();
  },
);

test('CONNECT is refused', async () => {
  const client = await say('CONNECT shop:80 HTTP/1.1\r\nhost: shop:80\r\n\r\n');
  expect(await client.ended).toMatch(/^HTTP\/1.1 405 /);
  client.socket.destroy();
});

test('an app that has no port, or is not there, is told of', async () => {
  await mesh.start('silent');
  expect(expectFault(await refusal('silent'), 'app-unreachable')).toContain('--app-port');
  const gone = await mesh.start('gone', { handler: app.handler });
  gone.app?.close();
  expect(expectFault(await refusal('gone'), 'app-unreachable')).toContain('does not listen');
});

test.each(['grpc', 'h2c'] as const)('an app that speaks %s is asked for none', async (protocol) => {
  const server = await silentServer();
  const config = { app: { port: portOf(server), host: '127.0.0.1', protocol, token: undefined } };
  await mesh.start(`app-${protocol}`, { config });
  expect(expectFault(await refusal(`app-${protocol}`), 'unimplemented')).toContain('HTTP/1.1');
  server.close();
});

test('a sidecar that cannot judge calls lets none in', async () => {
  const feed = testFeed();
  const judge = await talking('judge', app, { feed });
  mesh.point('judge', [{ host: '127.0.0.1', port: judge.sidecar.ports.peer }]);
  expectFault(await refusal('judge'), 'not-ready');
});

test('where one endpoint cannot take it, another does', async () => {
  const live = { host: '127.0.0.1', port: shop.sidecar.ports.peer };
  mesh.point('shop', [{ host: '127.0.0.1', port: await freePort() }, live]);
  for (let i = 0; i < 4; i++) await opens('shop', 'websocket');
  mesh.point('shop', [live]);
});

test('what an app may have seen is not asked of another', async () => {
  let asked = 0;
  for (let instances = 0; instances < 2; instances++) {
    const twin = await mesh.start('twin', { handler: app.handler });
    twin.app?.on('upgrade', (_request, stream) => {
      asked++;
      stream.destroy();
    });
  }
  expectFault(await refusal('twin'), 'app-broke');
  expect(asked).toBe(1);
});

test('a sidecar of Dapr carries none, and the caller is told so', async () => {
  const { svid, anchors } = mesh.ca.issue(identityOf('legacy'));
  const server = new Server();
  const pair = { private_key: Buffer.from(svid.keyPem), cert_chain: Buffer.from(svid.chainPem) };
  const tls = ServerCredentials.createSsl(Buffer.from(anchors.join('')), [pair], true);
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', tls);
  mesh.point('legacy', [{ host: '127.0.0.1', port }]);
  expect(expectFault(await refusal('legacy'), 'unimplemented')).toContain("as Dapr's do not");
  server.forceShutdown();
});

test('no other method of ours is served, on the peer port or on the gRPC port', async () => {
  const peer = await rawPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  for (const path of ['/invoke.v1.Peer/Other', '/invoke.v1.Feed/Subscribe', '/Invoke.v1.Peer/Tunnel'])
    expect((await peer.call([], path)).trailers).toMatchObject({ 'grpc-status': '12' });
  peer.close();
  const session = connectHttp2(`http://127.0.0.1:${web.sidecar.ports.grpc}`);
  const stream = session.request({
    ...{ ':method': 'POST', ':path': TUNNEL, 'content-type': 'application/grpc', te: 'trailers' },
    'dapr-app-id': 'shop',
  });
  const head = await new Promise<IncomingHttpHeaders>((answered) => stream.once('response', answered));
  expect(head['grpc-status']).toBe('12');
  session.destroy();
});

const NO_BYTES = Buffer.alloc(0);
const HEAD = { verb: 'GET', path: '/', isCanonicalPath: true, query: '', headers: [] };

function opening(head: Partial<typeof HEAD>, protocol: string): Buffer {
  const bytes = encodeUnaryRequest({ ...HEAD, ...head }, NO_BYTES);
  return joined(encodeTunnel({ head: bytes, protocol, data: undefined, isEnd: false }));
}

test.each([
  ['a protocol that carries calls', [opening({}, 'h2c')], '12'],
  ['no protocol', [opening({}, '')], '12'],
  ['WebSocket by another verb', [opening({ verb: 'POST' }, 'websocket')], '12'],
  ['a path that cannot be read', [opening({ path: '/%zz' }, 'websocket')], '3'],
  ['two heads', [opening({}, 'websocket'), opening({}, 'websocket')], '3'],
  ['no head', [joined(encodeTunnel({ head: undefined, protocol: 'websocket', data: NO_BYTES, isEnd: false }))], '3'],
  ['nothing', [], '3'],
  ['what is no message', [Buffer.from('rubbish')], '3'],
])('a peer that asks for %s is refused', async (_what, messages, status) => {
  const peer = await rawPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  expect((await peer.call(messages, TUNNEL)).trailers).toMatchObject({ 'grpc-status': status });
  peer.close();
});
