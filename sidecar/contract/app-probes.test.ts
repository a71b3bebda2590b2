// The probes of a pod's containers, done by the sidecar: what counts as success by HTTP, TCP and gRPC; and that a stranger who asks for
// them learns nothing but the outcome, and costs the app little.
import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp, type Server as NetServer } from 'node:net';
import { status as grpcStatus, Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { AppProbe, HttpProbe } from '../../api/app-probe.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { createLog } from '../../kit/log.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { ContainerProbes } from '../app/container-probes.ts';
import { PageHttp } from '../edge/page-http.ts';
import { listenOn } from '../testing/listening.ts';
import { identityOf, startMesh } from '../testing/mesh.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const listen = (server: NetServer, host?: string) => listenOn(server, closing, host);

const PAGE = '/app-probes/app/liveness';
const httpProbe = (port: number, more: Partial<HttpProbe> = {}): HttpProbe => ({
  ...{
    page: PAGE,
    kind: 'http',
    port,
    timeoutMs: 5000,
    isTls: false,
    target: '/alive?deep=1',
    authority: '',
    fields: [],
  },
  ...more,
});

/** Asks the public port of a sidecar that does this probe, as the kubelet does. */
async function kubelet(probe: AppProbe, clock: Clock = systemClock) {
  const logged: string[] = [];
  const write = (line: string) => {
    const { message, why } = JSON.parse(line);
    logged.push(why === undefined ? message : `${message}: ${why}`);
  };
  const log = createLog({ level: 'info', format: 'json', write, now: () => 0 });
  const probes = new ContainerProbes([probe], clock, log);
  const edge = new PageHttp(probes.pages, clock);
  const port = await listen(edge.server());
  closing.push(() => probes.close());
  const ask = (page = PAGE, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${port}${page}`, { headers: { connection: 'close' }, ...(signal && { signal }) });
  return { ask, logged, outcome: async () => (await ask()).status };
}

const answering = (status: number, headers = {}) =>
  listen(createHttp((_, response) => void response.writeHead(status, headers).end('a secret of the app')));

test.each([
  [200, 200],
  [204, 200],
  [302, 200],
  [399, 200],
  [400, 503],
  [404, 503],
  [500, 503],
])('an app that answers %i by HTTP is told to the kubelet as %i', async (status, told) => {
  const headers = status === 302 ? { location: 'http://elsewhere.example/' } : {};
  const { outcome } = await kubelet(httpProbe(await answering(status, headers)));
  expect(await outcome()).toBe(told);
});

test('nothing of what the app answers is told', async () => {
  const { ask } = await kubelet(httpProbe(await answering(500, { 'x-secret': 'yes', 'set-cookie': 'a=b' })));
  const answer = await ask();
  expect(await answer.text()).toBe('');
  expect([...answer.headers.keys()].filter((name) => /secret|cookie/.test(name))).toEqual([]);
});

test('the app is asked on loopback for what its probe says, and knows that it is a probe', async () => {
  const seen: IncomingMessage[] = [];
  const app: RequestListener = (request, response) => {
    seen.push(request);
    response.end();
  };
  const probe = httpProbe(await listen(createHttp(app)), { authority: 'shop.example', fields: ['x-probe', 'yes'] });
  expect(await (await kubelet(probe)).outcome()).toBe(200);
  const [request] = seen;
  expect([request?.method, request?.url]).toEqual(['GET', '/alive?deep=1']);
  expect(request?.headers).toMatchObject({ host: 'shop.example', 'x-probe': 'yes', 'user-agent': 'kube-probe/invoke' });
  const own = { ...probe, authority: '', fields: ['user-agent', 'mine', 'accept', 'text/plain'] };
  expect(await (await kubelet(own)).outcome()).toBe(200);
  expect(seen[1]?.headers).toMatchObject({
    host: `localhost:${probe.port}`,
    'user-agent': 'mine',
    accept: 'text/plain',
  });
});

test('an app of https is asked whatever certificate it has, and one on ::1 is found', async () => {
  const { svid } = throwawayCa().issue(identityOf('shop'), { uris: [], dnsNames: ['other.example'] });
  const server = createHttps({ key: svid.keyPem, cert: svid.chainPem }, (_, response) => void response.end());
  const { outcome } = await kubelet(httpProbe(await listen(server, '::1'), { isTls: true }));
  expect(await outcome()).toBe(200);
});

test('by TCP a port that takes connections is a success, and one where nobody listens is none', async () => {
  const probe = { page: PAGE, kind: 'tcp', timeoutMs: 5000 } as const;
  expect(await (await kubelet({ ...probe, port: await listen(createTcp()) })).outcome()).toBe(200);
  expect(await (await kubelet({ ...probe, port: await freePort() })).outcome()).toBe(503);
});

/** HealthCheckResponse with that status; undefined: the call fails. */
function grpcApp(statuses: Readonly<Record<string, number>>): Promise<number> {
  const server = new Server();
  const bytes = (value: Buffer) => value;
  const codec = {
    ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
    ...{ requestStream: false, responseStream: false },
  };
  const check = ({ request }: { request: Buffer }, done: sendUnaryData<Buffer>) => {
    const status = statuses[request.subarray(2).toString()];
    if (status === undefined) done({ code: grpcStatus.NOT_FOUND });
    else done(null, Buffer.from([8, status]));
  };
  server.addService({ check: { path: '/grpc.health.v1.Health/Check', ...codec } }, { check });
  closing.push(() => server.forceShutdown());
  return new Promise((bound, failed) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? bound(port) : failed(error),
    ),
  );
}

test.each([
  ['', 200],
  ['shop.Orders', 200],
  ['shop.Closed', 503],
  ['shop.Unknown', 503],
])('by gRPC the service "%s" is asked for: %i', async (service, told) => {
  const port = await grpcApp({ '': 1, 'shop.Orders': 1, 'shop.Closed': 2 });
  const { outcome } = await kubelet({ page: PAGE, kind: 'grpc', port, timeoutMs: 5000, service });
  expect(await outcome()).toBe(told);
});

test('an app without the health service of gRPC, and one that speaks no gRPC, are failures', async () => {
  const bare = new Server();
  closing.push(() => bare.forceShutdown());
  const bound = new Promise<number>((done) =>
    bare.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, port) => done(port)),
  );
  for (const port of [await bound, await answering(200)]) {
    const { outcome } = await kubelet({ page: PAGE, kind: 'grpc', port, timeoutMs: 5000, service: '' });
    expect(await outcome()).toBe(503);
  }
});

/** An app that answers when it is let. */
async function slowApp() {
  const waiting: (() => void)[] = [];
  let asked = 0;
  const port = await listen(
    createHttp((_, response) => {
      asked += 1;
      waiting.push(() => response.end());
    }),
  );
  return { port, asked: () => asked, answer: () => waiting.splice(0).map((answer) => answer()) };
}

test('whoever asks, one probe is under way at a time, and its outcome serves all for half a second', async () => {
  const clock = manualClock();
  const app = await slowApp();
  const { outcome } = await kubelet(httpProbe(app.port), clock);
  const outcomes = Array.from({ length: 20 }, outcome);
  await expect.poll(app.asked).toBe(1);
  app.answer();
  expect(await Promise.all(outcomes)).toEqual(Array(20).fill(200));
  clock.advance(499);
  expect(await outcome()).toBe(200);
  expect(app.asked()).toBe(1);
  clock.advance(1);
  const later = outcome();
  await expect.poll(app.asked).toBe(2);
  app.answer();
  expect(await later).toBe(200);
});

test('an app that does not answer in its time has failed, and the connection to it is given up', async () => {
  const clock = manualClock();
  let isLeft = false;
  const port = await listen(
    createTcp(
      (socket) =>
        void socket
          .on('error', () => undefined)
          .on('close', () => (isLeft = true))
          .resume(),
    ),
  );
  const { outcome, logged } = await kubelet(httpProbe(port, { timeoutMs: 7000 }), clock);
  const told = outcome();
  await expect.poll(() => clock.waiting().length).toBeGreaterThan(1);
  clock.advance(7000);
  expect(await told).toBe(503);
  await expect.poll(() => isLeft).toBe(true);
  expect(logged).toEqual(['a probe of a container does not succeed yet: it did not answer within 7000 ms']);
});

test('who gives up waiting takes the outcome from nobody else', async () => {
  const app = await slowApp();
  const { ask, outcome } = await kubelet(httpProbe(app.port));
  const leaving = new AbortController();
  const left = ask(PAGE, leaving.signal).catch(() => 'left');
  await expect.poll(app.asked).toBe(1);
  const other = outcome();
  leaving.abort();
  expect(await left).toBe('left');
  app.answer();
  expect(await other).toBe(200);
});

test('the log says why, at each turn and not at each probe', async () => {
  const clock = manualClock();
  let status = 500;
  const port = await listen(createHttp((_, response) => void response.writeHead(status).end()));
  const { outcome, logged } = await kubelet(httpProbe(port), clock);
  const after = async (next: number) => {
    status = next;
    const told = await outcome();
    clock.advance(500);
    return told;
  };
  expect([await after(500), await after(500), await after(200), await after(200), await after(404)]).toEqual([
    ...[503, 503, 200, 200, 503],
  ]);
  expect(logged).toEqual([
    'a probe of a container does not succeed yet: GET /alive?deep=1 was answered with 500',
    'a probe of a container succeeds',
    'a probe of a container fails: GET /alive?deep=1 was answered with 404',
  ]);
});

test('the log says what an app that starts answers, and not only that it took no connections before', async () => {
  const clock = manualClock();
  const port = await freePort();
  const { outcome, logged } = await kubelet(httpProbe(port), clock);
  expect(await outcome()).toBe(503);
  clock.advance(500);
  const app = createHttp((_, response) => void response.writeHead(500).end());
  app.listen(port, '127.0.0.1');
  await once(app, 'listening');
  closing.push(() => void app.close());
  expect(await outcome()).toBe(503);
  expect(logged).toEqual([
    expect.stringMatching(/^a probe of a container does not succeed yet: there is no connection to it: /),
    'a probe of a container does not succeed yet: GET /alive?deep=1 was answered with 500',
  ]);
});

test('a sidecar serves them on its public port beside its own health, and no others, and not on the app API', async () => {
  const mesh = await startMesh();
  closing.push(() => mesh.close());
  const port = await answering(200);
  const app = { port, host: 'localhost', token: undefined, probes: [httpProbe(port)] };
  const { sidecar } = await mesh.start('shop', { config: { app, publicPort: { port: 0, isFlexible: false } } });
  const statusOf = async (path: string, of = sidecar.ports.public) =>
    (await fetch(`http://127.0.0.1:${of}${path}`)).status;
  expect(await statusOf(PAGE)).toBe(200);
  expect(await statusOf('/v1.0/healthz')).toBe(204);
  expect(await statusOf('/app-probes/app/readiness')).toBe(404);
  expect(await statusOf('/app-probes/../alive')).toBe(404);
  expect(await statusOf(PAGE, sidecar.ports.http)).not.toBe(200);
});
