// Apps behind TLS: whose certificate is taken, and what people are told of one that is not.
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { Server } from 'node:net';
import { ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AppProtocol } from '../../api/app-protocol.ts';
import { type IssueOptions, throwawayCa } from '../../identity/testing.ts';
import type { AppTlsConfig } from '../app/tls.ts';
import { callerOf, faultOf, grpcApp } from '../testing/grpc-app.ts';
import { listenOn } from '../testing/listening.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { Client } from '../testing/web-socket-client.ts';
import { expectFault, send, to } from './testing.ts';

const HOUR_MS = 3_600_000;
const ca = throwawayCa();
const caPem = ca.anchors.join('');
const LOCALHOST: IssueOptions = { uris: [], dnsNames: ['localhost'] };

let mesh: Mesh;
let web: MeshSidecar;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => mesh.close());

function keyAndCert(options: IssueOptions) {
  const { svid } = ca.issue(identityOf('shop'), options);
  return { key: svid.keyPem, cert: svid.chainPem };
}

const listen = (server: Server) => listenOn(server, closing);

/** An app behind TLS whose certificate was issued like that; what it is called for is counted. */
async function httpsApp(options: IssueOptions = LOCALHOST, handler: RequestListener = echo) {
  const app = { calls: 0, port: 0 };
  app.port = await listen(
    createHttps(keyAndCert(options), (request, response) => {
      app.calls += 1;
      handler(request, response);
    }),
  );
  return app;
}

/** The sidecar of `shop`, whose app is there. */
async function sidecarOf(port: number, protocol: AppProtocol, tls: AppTlsConfig = {}, host = 'localhost') {
  const shop = await mesh.start('shop', { config: { app: { port, host, protocol, tls, token: 'app-token' } } });
  closing.push(() => shop.stop());
  return shop;
}

const call = (path = '/a?b=c') => send(web.sidecar.ports.http, { path: to('shop', path) });

describe('an app whose certificate is in order', () => {
  test.each<[string, IssueOptions, string]>([
    ['localhost', LOCALHOST, 'localhost'],
    ['127.0.0.1', { uris: [], ipAddresses: ['127.0.0.1'] }, 'localhost'],
    ['::1', { uris: [], ipAddresses: ['::1'] }, 'localhost'],
    ['127.0.0.1', { uris: [], ipAddresses: ['127.0.0.1'] }, '127.0.0.1'],
  ])('for %s is called', async (_name, options, host) => {
    const app = await httpsApp(options);
    await sidecarOf(app.port, 'https', { caPem }, host);
    const answer = await call();
    expect([answer.status, answer.headers.includes('/a?b=c')]).toEqual([200, true]);
  });

  test('for the name that was asked for is called, and is asked for that name', async () => {
    const seen: unknown[] = [];
    const app = await httpsApp({ uris: [], dnsNames: ['shop.example'] }, (request, response) => {
      seen.push('servername' in request.socket && request.socket.servername);
      response.end();
    });
    await sidecarOf(app.port, 'https', { caPem, serverName: 'shop.example' });
    expect((await call()).status).toBe(200);
    expect(seen).toEqual(['shop.example']);
  });

  test('gets large bodies whole and sends them whole, and keeps a connection for the next call', async () => {
    const sockets = new Set<unknown>();
    const app = await httpsApp(LOCALHOST, (request, response) => {
      sockets.add(request.socket);
      echo(request, response);
    });
    await sidecarOf(app.port, 'https', { caPem });
    const body = Buffer.alloc(3 * 2 ** 20, 'x');
    for (let i = 0; i < 2; i++) {
      const answer = await send(web.sidecar.ports.http, { method: 'POST', path: to('shop'), body });
      expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
    }
    expect(sockets.size).toBe(1);
  });

  test('serves WebSockets', async () => {
    const server = createHttps(keyAndCert(LOCALHOST));
    new WebSocketApp(server);
    await sidecarOf(await listen(server), 'https', { caPem });
    const client = await Client.open(`${web.url}${to('shop', '/chat')}`);
    client.send('tea');
    expect(await client.hear(1)).toEqual(['tea']);
    client.socket.close();
    await client.closed;
  });

  test('serves gRPC', async () => {
    const { key, cert } = keyAndCert(LOCALHOST);
    const pair = [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }];
    const app = await grpcApp({}, ServerCredentials.createSsl(null, pair));
    closing.push(() => app.close());
    await sidecarOf(app.port, 'grpcs', { caPem });
    const caller = callerOf(web, 'shop');
    closing.push(() => caller.close());
    const { status, messages } = await caller.call('Unary', ['tea']);
    expect([status.code, String(messages)]).toEqual([0, 'tea']);
    expect(app.seen[0]?.get('dapr-api-token')).toEqual(['app-token']);
  });
});

const WRONG: [string, IssueOptions, string | undefined, RegExp][] = [
  [
    'of an unknown authority',
    LOCALHOST,
    throwawayCa().anchors.join(''),
    /authority that is not known there.*--app-tls-ca/,
  ],
  ['of an authority of nobody, where none was given', LOCALHOST, undefined, /authority that is not known there/],
  ['for another name', { uris: [], dnsNames: ['other.example'] }, caPem, /another name.*--app-tls-server-name/],
  ['that has expired', { ...LOCALHOST, notAfter: Date.now() - 60_000 }, caPem, /has expired: renew it/],
  [
    'of tomorrow',
    { ...LOCALHOST, notBefore: Date.now() + HOUR_MS, notAfter: Date.now() + 2 * HOUR_MS },
    caPem,
    /not valid yet/,
  ],
];

describe('a certificate', () => {
  test.each(WRONG)('%s is refused, in words, and nothing reaches the app', async (_what, options, authority, words) => {
    const app = await httpsApp(options);
    await sidecarOf(app.port, 'https', { caPem: authority });
    const message = expectFault(await call(), 'app-unreachable');
    expect(message).toMatch(words);
    expect(message).toContain('nothing reached it');
    expect(app.calls).toBe(0);
  });

  test.each(WRONG)('%s is taken where that was asked for', async (_what, options) => {
    const app = await httpsApp(options);
    await sidecarOf(app.port, 'https', { isUnverified: true });
    expect((await call()).status).toBe(200);
  });

  test('that is wrong is said to callers by gRPC, too', async () => {
    const { key, cert } = keyAndCert({ uris: [], dnsNames: ['other.example'] });
    const pair = [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }];
    const app = await grpcApp({}, ServerCredentials.createSsl(null, pair));
    closing.push(() => app.close());
    await sidecarOf(app.port, 'grpcs', { caPem });
    const caller = callerOf(web, 'shop');
    closing.push(() => caller.close());
    const outcome = await caller.call('Unary', ['tea']);
    expect(faultOf(outcome)).toBe('app-unreachable');
    expect(outcome.status.details).toMatch(/another name/);
    expect(app.seen).toEqual([]);
  });
});

describe('an app that speaks something else', () => {
  const plain = () => listen(createHttp(echo));
  const h2Only = () => listen(createSecureServer({ ...keyAndCert(LOCALHOST), allowHTTP1: false }));

  test.each<[string, () => Promise<number>, AppProtocol, RegExp]>([
    ['plain HTTP, where https was said', plain, 'https', /does not speak TLS.*--app-protocol http/],
    ['HTTP/2 alone, where https was said', h2Only, 'https', /another protocol over TLS.*grpcs is gRPC/],
    [
      'TLS, where h2c was said',
      async () => (await httpsApp()).port,
      'h2c',
      /does not speak HTTP\/2.*over TLS, with https/,
    ],
    ['HTTP/1.1, where h2c was said', plain, 'h2c', /does not speak HTTP\/2.*--app-protocol http/],
  ])('%s: nothing reached it, and it is said what to write', async (_what, start, protocol, words) => {
    await sidecarOf(await start(), protocol, { caPem });
    expect(expectFault(await call(), 'app-unreachable')).toMatch(words);
  });

  test('TLS, where http was said: it broke, with a hint', async () => {
    const app = await httpsApp();
    await sidecarOf(app.port, 'http');
    expect(expectFault(await call(), 'app-broke')).toMatch(/--app-protocol https/);
  });

  test('the hint is not given where the app has answered before', async () => {
    const port = await listen(
      createHttp((request, response) => (request.url === '/die' ? request.socket.destroy() : response.end())),
    );
    await sidecarOf(port, 'http');
    expect((await call('/live')).status).toBe(200);
    expect(expectFault(await call('/die'), 'app-broke')).not.toContain('--app-protocol');
  });
});
