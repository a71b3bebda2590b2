// What a sidecar says of itself, and how its app ends it.
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../kit/log.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { expectFault, headerOf, type Pair, RawClient, send, startPair, to } from './testing.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await startPair();
});
afterAll(() => pair.mesh.close());

const jsonOf = ({ body }: { readonly body: Buffer }) => JSON.parse(body.toString());

describe('health', () => {
  test.each([
    '/v1.0/healthz',
    '/v1.0/healthz/',
    '//v1.0//healthz',
    '/v1.0/healthz?appid=caller',
    '/v1.0/healthz/outbound',
  ])('%s is 204 without a body', async (path) => {
    const answer = await send(pair.port, { path });
    expect([answer.status, answer.body.length]).toEqual([204, 0]);
  });

  test('is 503 for whoever takes it for the sidecar of another app', async () => {
    const answer = await send(pair.port, { path: '/v1.0/healthz?appid=other' });
    expect(answer.status).toBe(503);
    expect(jsonOf(answer)).toMatchObject({
      errorCode: 'ERR_HEALTH_APPID_NOT_MATCH',
      message: expect.stringContaining('caller'),
    });
  });

  test.each(['honest', 'dapr'] as const)(
    'keeps to the numbers of %s statuses, for the app and for probes',
    async (statuses) => {
      const asked = await pair.mesh.start('asked', {
        config: { statuses, publicPort: { port: 0, isFlexible: false } },
      });
      const { http, public: probes } = asked.sidecar.ports;
      for (const port of [http, probes]) {
        const answer = await send(port ?? 0, { path: '/v1.0/healthz?appid=other' });
        expect([answer.status, headerOf(answer, 'retry-after')]).toEqual([statuses === 'dapr' ? 500 : 503, '1']);
        expect(jsonOf(answer)).toMatchObject({
          errorCode: 'ERR_HEALTH_APPID_NOT_MATCH',
          details: { fault: 'not-ready' },
        });
      }
      await asked.stop();
    },
  );

  test('says in the log, once, that the app does not listen in time', async () => {
    const [port, http] = [await freePort(), await freePort()];
    const clock = manualClock();
    const warned: unknown[] = [];
    const starting = pair.mesh.start('lost', {
      clock,
      log: { ...silentLog, warn: (message, fields) => warned.push([message, fields]) },
      config: { app: { port, host: '127.0.0.1', token: undefined }, httpPort: { port: http, isFlexible: false } },
    });
    const ask = () => send(http, { path: '/v1.0/healthz/outbound' }).catch(() => undefined);
    while ((await ask())?.status !== 204);
    clock.advance(14_999);
    expect(warned).toEqual([]);
    clock.advance(60_000);
    expect(warned).toEqual([[expect.stringContaining('--app-port'), { appPort: port }]]);

    const app = createServer().listen(port, '127.0.0.1');
    const ticking = setInterval(() => clock.advance(100), 5);
    await (await starting).stop().finally(() => clearInterval(ticking));
    app.close();
  });

  test('is 503 until the app listens, while calls out work already; then 204', async () => {
    const [port, http] = [await freePort(), await freePort()];
    const starting = pair.mesh.start('late', {
      config: { app: { port, host: '127.0.0.1', token: undefined }, httpPort: { port: http, isFlexible: false } },
    });
    const ask = (path: string) => send(http, { path }).catch(() => undefined);
    while ((await ask('/v1.0/healthz/outbound'))?.status !== 204);
    expect((await send(http, { path: to('callee') })).status).toBe(200);
    const unready = await send(http, { path: '/v1.0/healthz' });
    expect([unready.status, headerOf(unready, 'invoke-fault'), headerOf(unready, 'retry-after')]).toEqual([
      503,
      'not-ready',
      '1',
    ]);
    expect(jsonOf(unready)).toMatchObject({
      errorCode: 'ERR_HEALTH_NOT_READY',
      message: `not ready: the app does not listen on port ${port} yet`,
    });

    const late = createServer((_request, response) => response.end('late')).listen(port, '127.0.0.1');
    await starting;
    expect((await send(http, { path: '/v1.0/healthz' })).status).toBe(204);
    expect((await send(pair.port, { path: to('late') })).body.toString()).toBe('late');
    late.close();
    late.closeAllConnections();
  });
});

describe('metadata', () => {
  test('has the shape that SDKs read', async () => {
    const answer = await send(pair.port, { path: '/v1.0/metadata' });
    expect([answer.status, headerOf(answer, 'content-type')]).toEqual([200, 'application/json']);
    expect(jsonOf(answer)).toEqual({
      id: 'caller',
      runtimeVersion: 'test',
      enabledFeatures: [],
      actors: [],
      components: [],
      extended: { daprRuntimeVersion: 'test' },
      subscriptions: [],
      httpEndpoints: [],
      resiliencies: [],
      appConnectionProperties: {
        port: pair.caller.app && portOf(pair.caller.app),
        protocol: 'http',
        channelAddress: '127.0.0.1',
      },
      actorRuntime: { runtimeStatus: 'DISABLED', activeActors: [], hostReady: false, placement: '' },
      resilience: { targets: expect.any(Array), targetsLeftOut: 0 },
    });
  });

  test('names no app connection where there is no app', async () => {
    const mute = await pair.mesh.start('mute');
    expect(
      jsonOf(await send(mute.sidecar.ports.http, { path: '/v1.0/metadata' })).appConnectionProperties,
    ).toBeUndefined();
    await mute.stop();
  });

  test.each([
    ['cli-pid', 'cli-pid', '1234'],
    ['%C3%A9t%2Fe', 'ét/e', 'caf\u00e9'],
    ['__proto__', '__proto__', 'data'],
    ['empty', 'empty', ''],
  ])('takes the value %s from its app and shows it', async (rest, key, value) => {
    const put = await send(pair.port, { method: 'PUT', path: `/v1.0/metadata/${rest}`, body: value });
    expect(put.status).toBe(204);
    const { extended } = jsonOf(await send(pair.port, { path: '/v1.0/metadata' }));
    expect(Object.getOwnPropertyDescriptor(extended, key)?.value).toBe(value);
  });

  test('a later value takes the place of an earlier one', async () => {
    for (const body of ['1', '2']) await send(pair.port, { method: 'PUT', path: '/v1.0/metadata/again', body });
    expect(jsonOf(await send(pair.port, { path: '/v1.0/metadata' })).extended.again).toBe('2');
  });

  test.each(['%ff', '%'])('the key %s is 400', async (key) => {
    const answer = await send(pair.port, { method: 'PUT', path: `/v1.0/metadata/${key}`, body: 'x' });
    expect([answer.status, headerOf(answer, 'invoke-fault')]).toEqual([400, 'bad-request']);
  });

  test('a value of more than 64 KiB is 413, and is not kept', async () => {
    const put = (bytes: number) =>
      send(pair.port, { method: 'PUT', path: '/v1.0/metadata/big', body: 'x'.repeat(bytes) });
    expectFault(await put(64 * 1024 + 1), 'body-too-large');
    expect(jsonOf(await send(pair.port, { path: '/v1.0/metadata' })).extended.big).toBeUndefined();
    expect((await put(64 * 1024)).status).toBe(204);
  });

  test('is no store: the hundred and first value is 400', async () => {
    const full = await pair.mesh.start('full');
    const put = (i: number) =>
      send(full.sidecar.ports.http, { method: 'PUT', path: `/v1.0/metadata/k${i}`, body: 'v' });
    for (let i = 1; i < 100; i++) expect((await put(i)).status).toBe(204);
    expect((await put(100)).status).toBe(400);
    expect((await put(1)).status).toBe(204);
    await full.stop();
  });
});

describe('shutdown', () => {
  test('lets the call in flight finish, takes no new one, and ends with 0', async () => {
    const leaving = await pair.mesh.start('leaving');
    const { http } = leaving.sidecar.ports;
    const call = new Promise<ServerResponse>((called) => {
      pair.app.handler = (_request, response) => called(response);
    });
    const inFlight = send(http, { path: to('callee', '/slow') });
    const response = await call;
    const idle = await RawClient.connect(http);
    expect((await send(http, { method: 'POST', path: '/v1.0/shutdown' })).status).toBe(204);
    idle.write('GET /v1.0/invoke/callee/method/new HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await idle.until(/\r\n\r\n\{/)).toContain('invoke-fault: draining');
    response.end('finished');
    expect((await inFlight).body.toString()).toBe('finished');
    expect(await leaving.sidecar.done).toBe(0);
    idle.socket.destroy();
    pair.app.reset();
  });

  test('by force cuts calls off, and ends with 1', async () => {
    const leaving = await pair.mesh.start('forced');
    const { http } = leaving.sidecar.ports;
    const arrived = pair.app.next();
    pair.app.handler = () => undefined;
    const cut = expect(send(http, { path: to('callee', '/slow') })).rejects.toThrow(/hang up|ECONNRESET/);
    await arrived;
    const answer = await send(http, {
      method: 'POST',
      path: '/v1.0/shutdown',
      headers: ['Dapr-Force-Shutdown', 'TRUE'],
    });
    expect(answer.status).toBe(204);
    expect(await leaving.sidecar.done).toBe(1);
    await cut;
    pair.app.reset();
  });
});
