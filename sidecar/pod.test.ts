// A sidecar as a pod runs it: configured by its environment, identified by its mounted token, ended by preStop and SIGTERM.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PodSidecar, printPodSidecar, SIDECAR_VARIABLE } from '../api/pod-sidecar.ts';
import { throwawayCa } from '../identity/testing.ts';
import { systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { must } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { portOf } from '../kit/testing/ports.ts';
import { send, to } from './contract/testing.ts';
import { openDrainSwitch } from './drain-switch.ts';
import type { FeedOptions } from './feed/feed.ts';
import { readPod, startPod } from './pod.ts';
import type { Sidecar } from './sidecar.ts';
import { EMPTY_CONFIG, type TestFeed, testFeed } from './testing/feed.ts';
import { listening } from './testing/mesh.ts';
import { type PodEnvironment, podEnvironment } from './testing/pod-environment.ts';

let pod: PodEnvironment;
let feed: TestFeed;
let asked: FeedOptions | undefined;
beforeEach(async () => {
  [pod, feed] = [await podEnvironment(), testFeed()];
});
afterEach(() => pod.close());

const deps = {
  clock: systemClock,
  random: () => 0.5,
  log: silentLog,
  version: 'test',
  nameServers: () => [],
  startFeed: (options: FeedOptions) => {
    asked = options;
    return feed;
  },
};

/** On free ports: those that were free a moment ago may be taken by another test. */
async function start({ env, paths } = pod): Promise<Sidecar> {
  const settings = must(readPod(env, paths));
  const free = { port: 0, isFlexible: false };
  const ports = { httpPort: free, publicPort: free, peerPort: free, metricsPort: free };
  return must(await startPod({ ...settings, config: { ...settings.config, ...ports } }, deps));
}

const status = async (port: number | undefined, path: string, headers: readonly string[] = []) =>
  (await send(port ?? 0, { path, headers })).status;

/** Asks until the answer is as expected; a promise that is broken ends as the test's timeout. */
async function untilStatus(port: number | undefined, path: string, expected: number): Promise<void> {
  while ((await status(port, path)) !== expected) await new Promise((turn) => setImmediate(turn));
}

test('it waits for what is mounted, proves itself to the sentry by the token, and says meanwhile what it waits for', async () => {
  const sidecar = await start();
  const { http, public: probes = 0 } = sidecar.ports;
  for (const port of [http, probes]) {
    const unready = await send(port, { path: '/v1.0/healthz/outbound' });
    expect([unready.status, unready.body.toString()]).toEqual([503, expect.stringContaining(pod.paths.trustAnchors)]);
    expect((await send(port, { path: '/v1.0/healthz' })).status).toBe(503);
  }
  feed.config.set(EMPTY_CONFIG);
  pod.mount();
  await untilStatus(probes, '/v1.0/healthz/outbound', 204);
  const [request] = pod.sentry.requests;
  expect(request).toMatchObject({
    validator: 'kubernetes',
    token: 'a projected token',
    appId: 'web',
    namespace: 'shop',
  });
  sidecar.stop();
  expect(await sidecar.done).toBe(0);
});

test('its public port serves health and nothing else; the app API is on loopback alone', async () => {
  const sidecar = await start();
  const { public: probes, http, metrics } = sidecar.ports;
  for (const path of ['/v1.0/metadata', '/metrics', to('web')]) expect(await status(probes, path)).toBe(404);
  const outside = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  const reaches = (port: number | undefined) =>
    new Promise<boolean>((done) => {
      const socket = connect({ port: port ?? 0, host: outside ?? '127.0.0.1' });
      socket
        .on('connect', () => done(true))
        .on('error', () => done(false))
        .on('connect', () => socket.destroy());
    });
  expect(await reaches(http)).toBe(outside === undefined);
  for (const port of [probes, metrics, sidecar.ports.peer]) expect(await reaches(port)).toBe(true);
  sidecar.stop();
  await sidecar.done;
});

test('it asks the operator of its control plane for what concerns it, and keeps that where only it can see it', async () => {
  const sidecar = await start();
  expect(asked).toMatchObject({
    address: { host: '127.0.0.1', port: 1 },
    operator: { app: 'invoke-operator', namespace: 'invoke-system', trustDomain: 'test.local' },
    self: { app: 'web', namespace: 'shop', trustDomain: 'test.local' },
    snapshotFile: pod.paths.snapshot,
  });
  sidecar.stop();
  await sidecar.done;
});

test('its environment says whether the app speaks HTTP or gRPC; HTTP unless it does', () => {
  const { appProtocol: _, ...sidecar } = pod.sidecar;
  const protocolOf = (config: PodSidecar) =>
    must(readPod({ [SIDECAR_VARIABLE]: printPodSidecar(config) })).config.app.protocol;
  expect([protocolOf(sidecar), protocolOf({ ...sidecar, appProtocol: 'grpc' })]).toEqual(['http', 'grpc']);
});

test('its environment says how the app is looked after', () => {
  const health = { path: '/alive', intervalMs: 1000, timeoutMs: 100, threshold: 2 };
  const read = (config: PodSidecar) => must(readPod({ [SIDECAR_VARIABLE]: printPodSidecar(config) })).config.app;
  expect(read({ ...pod.sidecar, appMaxConcurrency: 5, appHealth: health })).toMatchObject({
    ...{ maxConcurrency: 5, health },
  });
  expect(read(pod.sidecar)).toMatchObject({ maxConcurrency: undefined, health: undefined });
});

test('its tokens come from variables of their own', () => {
  const { config } = must(readPod({ ...pod.env, INVOKE_API_TOKEN: 'api', APP_API_TOKEN: 'app' }));
  expect([config.apiToken, config.app.token]).toEqual(['api', 'app']);
  expect(must(readPod({ ...pod.env, INVOKE_API_TOKEN: '' })).config.apiToken).toBeUndefined();
});

test('who vouches for an app behind TLS comes from a variable of its own, and has to be certificates', () => {
  const [anchor = ''] = throwawayCa().anchors;
  const https = { ...pod.sidecar, appProtocol: 'https', appTlsServerName: 'shop.example' } as const;
  const readWith = (INVOKE_APP_CA: string) => readPod({ [SIDECAR_VARIABLE]: printPodSidecar(https), INVOKE_APP_CA });
  expect(must(readWith(anchor)).config.app.tls).toEqual({ caPem: anchor, serverName: 'shop.example' });
  expect(must(readWith('')).config.app.tls).toEqual({ serverName: 'shop.example' });
  const wrong = readWith('not PEM');
  expect(wrong.ok ? 'read' : wrong.error).toMatch(/app-tls-ca-secret has no certificates in ca.crt/);
});

test.each([
  [{}, 'is no JSON'],
  [{ INVOKE_SIDECAR: '{"appId":"A"}' }, 'appId: "A" is not an app id'],
])('an environment that makes no sense is refused in words', (env: Readonly<Record<string, string>>, words) => {
  const read = readPod(env);
  expect(read.ok ? 'read' : read.error).toContain(words);
});

test('a port that is taken is told with the annotation that moves it', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((bound) => taken.once('listening', bound));
  const other = await podEnvironment({ httpPort: portOf(taken) });
  const started = await startPod(must(readPod(other.env, other.paths)), deps);
  expect(started.ok ? 'started' : started.error).toContain('choose another with the annotation invoke.io/http-port');
  taken.close();
  await other.close();
});

describe('preStop', () => {
  test('makes the sidecar drain: no call comes in any more, calls go out as ever, until SIGTERM', async () => {
    const app = await listening((_, response) => response.end('here'));
    const own = await podEnvironment({ appPort: portOf(app) });
    feed.config.set(EMPTY_CONFIG);
    own.mount();
    const sidecar = await start(own);
    const { http } = sidecar.ports;
    await untilStatus(http, to('web.shop'), 200);
    writeFileSync(own.paths.drain, '');
    await untilStatus(http, to('web.shop'), 503);
    const refused = await send(http, { path: to('web.shop') });
    expect([refused.status, refused.body.toString()]).toEqual([503, expect.stringContaining('draining')]);
    expect(await status(http, '/v1.0/healthz')).toBe(503);
    expect(await status(http, '/v1.0/healthz/outbound')).toBe(204);
    sidecar.stop();
    expect(await sidecar.done).toBe(0);
    app.close();
    await own.close();
  });

  test('is heard once, and not what was left behind by a container that was killed', async () => {
    writeFileSync(pod.paths.drain, 'left behind');
    let drains = 0;
    const drained = new Promise<void>((heard) => {
      const drain = () => {
        drains++;
        heard();
      };
      must(openDrainSwitch(pod.paths.drain, drain, systemClock));
    });
    expect(existsSync(pod.paths.drain)).toBe(false);
    writeFileSync(join(dirname(pod.paths.drain), 'something-else'), '');
    writeFileSync(pod.paths.drain, '');
    writeFileSync(pod.paths.drain, 'again');
    await drained;
    expect(drains).toBe(1);
  });

  test('is heard, too, where the folder cannot be watched, as on a node that has no watchers left', () => {
    const clock = manualClock();
    const path = join(dirname(pod.paths.drain), 'missing', 'drain');
    let drains = 0;
    must(openDrainSwitch(path, () => drains++, clock));
    clock.advance(1000);
    mkdirSync(dirname(path));
    writeFileSync(path, '');
    clock.advance(250);
    clock.advance(1000);
    expect(drains).toBe(1);
  });
});
