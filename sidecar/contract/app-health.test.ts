// Apps whose health is checked: what counts as healthy in each protocol, and what an unhealthy app is spared.
import { createServer as createHttp, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createH2c } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { Server as NetServer } from 'node:net';
import { status as grpcStatus, Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { AppProtocol } from '../../api/app-protocol.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { createLog, silentLog } from '../../kit/log.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { listenOn } from '../testing/listening.ts';
import { identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';

/** Often, so that the tests need not wait; what the defaults are is said elsewhere. */
const HEALTH = { path: '/alive?deep=1', intervalMs: 10, timeoutMs: 1000, threshold: 3 };

let mesh: Mesh;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  mesh = await startMesh();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => mesh.close());

/** How an app answers the question, for as long as that stands. */
interface Mood {
  isWell: boolean;
  /** Questions so far, and the tokens that came with them. */
  asked: number;
  tokens: Set<unknown>;
  calls: number;
}

const WELL: Mood = { isWell: true, asked: 0, tokens: new Set(), calls: 0 };

function httpHandler(mood: Mood): RequestListener {
  return (request, response) => {
    const isQuestion = request.url === HEALTH.path && request.method === 'GET';
    if (isQuestion) {
      mood.asked += 1;
      mood.tokens.add(request.headers['dapr-api-token']);
    } else mood.calls += 1;
    response.writeHead(isQuestion && !mood.isWell ? 500 : 200).end();
  };
}

const listen = (server: NetServer) => listenOn(server, closing);

async function grpcApp(mood: Mood): Promise<number> {
  const server = new Server();
  const bytes = (value: Buffer) => value;
  const codec = {
    ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
    ...{ requestStream: false, responseStream: false },
  };
  const path = '/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck';
  server.addService(
    { healthCheck: { path, ...codec } },
    {
      healthCheck: (call: { metadata: { get(name: string): unknown[] } }, done: sendUnaryData<Buffer>) => {
        mood.asked += 1;
        mood.tokens.add(call.metadata.get('dapr-api-token')[0]);
        if (mood.isWell) done(null, Buffer.alloc(0));
        else done({ code: grpcStatus.UNAVAILABLE });
      },
    },
  );
  closing.push(() => server.forceShutdown());
  return new Promise((bound, failed) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? bound(port) : failed(error),
    ),
  );
}

const ca = throwawayCa();
const { svid } = ca.issue(identityOf('shop'), { uris: [], dnsNames: ['localhost'] });
const APPS: Readonly<Partial<Record<AppProtocol, (mood: Mood) => Promise<number>>>> = {
  http: (mood) => listen(createHttp(httpHandler(mood))),
  https: (mood) => listen(createHttps({ key: svid.keyPem, cert: svid.chainPem }, httpHandler(mood))),
  h2c: (mood) =>
    listen(
      createH2c((request, response) => {
        const isQuestion = request.url === HEALTH.path;
        mood.asked += isQuestion ? 1 : 0;
        mood.calls += isQuestion ? 0 : 1;
        mood.tokens.add(request.headers['dapr-api-token']);
        response.writeHead(isQuestion && !mood.isWell ? 503 : 204).end();
      }),
    ),
  grpc: grpcApp,
};

/** The sidecar of an app there. It may not be ready for as long as the app is not well. */
function sidecarOf(port: number, protocol: AppProtocol = 'http', httpPort = 0, log = silentLog): Promise<MeshSidecar> {
  const tls = { caPem: ca.anchors.join('') };
  const app = { port, host: 'localhost', protocol, tls, token: 'app-token', health: HEALTH, maxConcurrency: 7 };
  return mesh.start('shop', { config: { app, httpPort: { port: httpPort, isFlexible: false } }, log });
}

const healthOf = (port: number) => send(port, { path: '/v1.0/healthz' });
const untilHealth = (port: number, status: number) =>
  expect.poll(async () => (await healthOf(port)).status).toBe(status);

test.each(Object.keys(APPS) as AppProtocol[])(
  'an app of %s that falls ill gets no calls, is asked on, and is back with one good answer',
  async (protocol) => {
    const mood: Mood = { ...WELL, tokens: new Set() };
    const shop = await sidecarOf((await APPS[protocol]?.(mood)) ?? 0, protocol);
    closing.push(() => shop.stop());
    const { http, metrics } = shop.sidecar.ports;
    const call = () => send(http, { path: to('shop') });
    expect((await healthOf(http)).status).toBe(204);

    mood.isWell = false;
    await untilHealth(http, 503);
    expect(JSON.parse((await healthOf(http)).body.toString()).message).toMatch(
      /^not ready: the app is not healthy: (GET \/alive\?deep=1 was answered with 50[03]|HealthCheck was answered with the gRPC status 14)$/,
    );
    const { calls, asked } = mood;
    const message = expectFault(await call(), 'app-unhealthy');
    expect(message).not.toMatch(/127.0.0.1|alive/);
    expect(mood.calls).toBe(calls);
    expect((await send(metrics ?? 0, { path: '/metrics' })).body.toString()).toMatch(/^invoke_app_healthy 0$/m);
    await expect.poll(() => mood.asked).toBeGreaterThan(asked);

    mood.isWell = true;
    await untilHealth(http, 204);
    if (protocol !== 'grpc') expect((await call()).status).toBeLessThan(300);
    expect([...mood.tokens]).toEqual(['app-token']);
    expect((await send(metrics ?? 0, { path: '/metrics' })).body.toString()).toMatch(/^invoke_app_healthy 1$/m);
  },
);

test('others are told: while it is ill its name leads nowhere, and then it does again', async () => {
  const mood: Mood = { ...WELL, tokens: new Set() };
  const shop = await sidecarOf((await APPS.http?.(mood)) ?? 0);
  closing.push(() => shop.stop());
  const web = await mesh.start('web');
  closing.push(() => web.stop());
  const call = () => send(web.sidecar.ports.http, { path: to('shop') });
  expect((await call()).status).toBe(200);
  mood.isWell = false;
  await untilHealth(shop.sidecar.ports.http, 503);
  expectFault(await call(), 'no-endpoint');
  mood.isWell = true;
  await untilHealth(shop.sidecar.ports.http, 204);
  expect((await call()).status).toBe(200);
});

test.each([301, 404, 500])('an answer of %i is not healthy from the start', async (status) => {
  const asked = Promise.withResolvers<void>();
  const mood = { status };
  const port = await listen(
    createHttp((_request, response) => {
      response.writeHead(mood.status, { location: '/elsewhere' }).end();
      asked.resolve();
    }),
  );
  // It has no name until it is ready, so that it has to be found by its port.
  const http = await freePort();
  const logged: string[] = [];
  const write = (line: string) => void logged.push(line);
  const starting = sidecarOf(port, 'http', http, createLog({ level: 'info', format: 'json', write, now: () => 0 }));
  await asked.promise;
  await expect
    .poll(async () => (await healthOf(http)).body.toString())
    .toContain(`GET ${HEALTH.path} was answered with ${status}`);
  expectFault(await send(http, { path: to('shop') }), 'app-unhealthy');
  mood.status = 204;
  const shop = await starting;
  closing.push(() => shop.stop());
  expect((await healthOf(http)).status).toBe(204);
  expect(logged.map((line) => JSON.parse(line)).filter(({ message }) => /healthy/.test(message))).toMatchObject([
    { message: 'the app is not healthy yet: it gets no calls', why: `GET ${HEALTH.path} was answered with ${status}` },
    { message: 'the app is healthy' },
  ]);
});

test('who waits for a turn when the app falls ill waits no longer, and who is inside goes on', async () => {
  const mood = { isWell: true };
  const inside = Promise.withResolvers<ServerResponse>();
  const port = await listen(
    createHttp((request, response) => {
      if (request.url === HEALTH.path) response.writeHead(mood.isWell ? 200 : 500).end();
      else inside.resolve(response);
    }),
  );
  const app = { port, host: 'localhost', token: undefined, health: HEALTH, maxConcurrency: 1 };
  const shop = await mesh.start('shop', { config: { app } });
  closing.push(() => shop.stop());
  const call = () => send(shop.sidecar.ports.http, { path: to('shop', '/work') });
  const first = call();
  const response = await inside.promise;
  const second = call();
  mood.isWell = false;
  expectFault(await second, 'app-unhealthy');
  response.end('done');
  expect((await first).body.toString()).toBe('done');
});

test('metadata says how it is asked, and how it is', async () => {
  const mood: Mood = { ...WELL, tokens: new Set() };
  const port = (await APPS.http?.(mood)) ?? 0;
  const shop = await sidecarOf(port);
  closing.push(() => shop.stop());
  const metadata = async () =>
    JSON.parse((await send(shop.sidecar.ports.http, { path: '/v1.0/metadata' })).body.toString());
  expect((await metadata()).appConnectionProperties).toEqual({
    ...{ port, protocol: 'http', channelAddress: 'localhost', maxConcurrency: 7 },
    health: {
      healthCheckPath: HEALTH.path,
      healthProbeInterval: '10ms',
      healthProbeTimeout: '1s',
      healthThreshold: 3,
      status: 'healthy',
    },
  });
  mood.isWell = false;
  await expect.poll(async () => (await metadata()).appConnectionProperties.health.status).toBe('unhealthy');
});
