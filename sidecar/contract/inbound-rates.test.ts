// How often each caller may call, by the identity in its certificate and over every protocol: 429 with Retry-After, RESOURCE_EXHAUSTED
// with retry information, and nobody else pays for it.
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { decodeAny, decodeRpcStatus } from '../../api/proto/rpc-status.ts';
import { must } from '../../kit/result.ts';
import type { WritableSnapshot } from '../../kit/snapshot.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { testFeed } from '../testing/feed.ts';
import {
  callerOf,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcApp,
  grpcOn,
  type Outcome,
} from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { Client } from '../testing/web-socket-client.ts';
import { type Answered, headerOf, send, to } from './testing.ts';
import { about, fed, type Instance, instance, instances, policies, type Spec, seenBy } from './testing-resiliency.ts';

let mesh: Mesh;
let web: MeshSidecar;
let job: MeshSidecar;
let shop: Instance;
let orders: GrpcApp;
let caller: GrpcCaller;
let dapr: DaprClient;
let limits: WritableSnapshot<readonly PlacedResiliency[]>;
let outbound: WritableSnapshot<readonly PlacedResiliency[]>;

/** One call, and then one an hour. */
const SELDOM = { requests: 1, per: '1h' };

beforeAll(async () => {
  mesh = await startMesh();
  [limits, outbound] = [policies(), policies()];
  web = await mesh.start('web', { config: { resiliencies: outbound } });
  job = await mesh.start('job', { namespace: 'batch' });
  shop = await instance(mesh, 'shop', { resiliencies: limits });
  orders = await grpcApp();
  await mesh.start('orders', { config: { ...grpcOn(orders), resiliencies: limits } });
  caller = callerOf(web, 'orders');
  dapr = new DaprClient(web.sidecar.ports.grpc);
});
afterEach(() => {
  limits.set([]);
  outbound.set([]);
  shop.reset();
  orders.seen.length = 0;
});
afterAll(async () => {
  caller.close();
  dapr.close();
  await mesh.close();
  orders.close();
});

function says(...rateLimits: readonly Spec[]): void {
  limits.set(policies({ inbound: { rateLimits } }).current());
}

const call = (more: readonly string[] = [], from = web, app = 'shop.default') =>
  send(from.sidecar.ports.http, { path: to(app), headers: more });
const faultIn = (answer: Answered) => [answer.status, headerOf(answer, 'invoke-fault')];

function expectRetryInfo({ status }: Outcome): void {
  expect(status.code).toBe(Code.RESOURCE_EXHAUSTED);
  const [details] = status.metadata.get('grpc-status-details-bin');
  const { details: all } = must(decodeRpcStatus(Buffer.from(details ?? '')));
  expect(all.map((one) => must(decodeAny(one)).typeUrl)).toEqual(['type.googleapis.com/google.rpc.RetryInfo']);
  expect(Number(status.metadata.get('grpc-retry-pushback-ms')[0])).toBeGreaterThan(3_000_000);
}

test('over HTTP it is 429 with Retry-After, and the app sees nothing of it', async () => {
  says(SELDOM);
  expect((await call()).status).toBe(200);
  const refused = await call();
  expect(faultIn(refused)).toEqual([429, 'rate-limited']);
  expect(Number(headerOf(refused, 'retry-after'))).toBeGreaterThan(3000);
  expect(refused.body.toString()).toContain('web.default calls shop.default more often');
  expect(shop.seen).toHaveLength(1);
  const page = await send(shop.sidecar?.sidecar.ports.metrics ?? 0, { path: '/metrics' });
  expect(page.body.toString()).toContain('invoke_inbound_turned_away_total{reason="rate"} 1\n');
});

test('no header makes another caller of one', async () => {
  says({ from: [{ app: 'web' }], ...SELDOM });
  const claims = ['dapr-caller-app-id', 'job', 'dapr-caller-namespace', 'batch', 'x-forwarded-for', '10.1.2.3'];
  expect((await call(claims)).status).toBe(200);
  expect((await call(claims)).status).toBe(429);
  expect((await call(['dapr-caller-app-id', 'web'], job)).status).toBe(200);
  expect((await call(['dapr-caller-app-id', 'web'], job)).status).toBe(200);
});

test('each caller has an allowance of its own, on whatever connection it comes', async () => {
  says(SELDOM);
  expect((await call()).status).toBe(200);
  expect((await call([], job)).status).toBe(200);
  expect([(await call()).status, (await call([], job)).status]).toEqual([429, 429]);
});

test('it is tried nowhere else, however many instances there are', async () => {
  says(SELDOM);
  const many = await instances(mesh, 'many', 3, { resiliencies: limits });
  const answers = await Promise.all(Array.from({ length: 12 }, () => call([], web, 'many')));
  const refused = answers.filter(({ status }) => status !== 200);
  for (const answer of refused) expect(faultIn(answer)).toEqual([429, 'rate-limited']);
  // A call that went from one to the next would be counted at each of them.
  const counted = await Promise.all(
    many.map(async ({ sidecar }) => {
      const page = await send(sidecar?.sidecar.ports.metrics ?? 0, { path: '/metrics' });
      return Number(/turned_away_total\{reason="rate"\} (\d+)/.exec(page.body.toString())?.[1] ?? 0);
    }),
  );
  expect(counted.reduce((sum, count) => sum + count, 0)).toBe(refused.length);
  expect(seenBy(many)).toBe(answers.length - refused.length);
  await Promise.all(many.map(({ sidecar }) => sidecar?.stop()));
});

test('a retry that matches 429 comes again, and one that does not leaves it', async () => {
  const retry = (httpStatusCodes: string): Spec => {
    const some = { duration: '1s', maxRetries: 5, matching: { httpStatusCodes } };
    return about('shop', { retry: 'some' }, { retries: { some } });
  };
  const statuses = async () => (await Promise.all([call(), call()])).map(({ status }) => status).sort();
  says(SELDOM);
  outbound.set(policies(retry('503')).current());
  expect(await statuses()).toEqual([200, 429]);
  limits.set([]);
  says({ requests: 1, per: '1s' });
  outbound.set(policies(retry('429')).current());
  expect(await statuses()).toEqual([200, 200]);
  expect(shop.seen).toHaveLength(3);
});

test('over gRPC it is RESOURCE_EXHAUSTED, with when to come back', async () => {
  says(SELDOM);
  expect((await caller.call('Unary', ['x'])).status.code).toBe(Code.OK);
  const refused = await caller.call('Unary', ['x']);
  expectRetryInfo(refused);
  expect([faultOf(refused), orders.seen.length]).toEqual(['rate-limited', 1]);
});

test('over InvokeService, too', async () => {
  says(SELDOM);
  expect((await dapr.invoke({ id: 'shop', method: 'pay', verb: 1 })).status.code).toBe(Code.OK);
  expectRetryInfo(await dapr.invoke({ id: 'shop', method: 'pay', verb: 1 }));
});

test('a WebSocket counts as one call, when it is asked for', async () => {
  says(SELDOM);
  expect((await call()).status).toBe(200);
  await expect(Client.open(`${web.url}${to('shop', '/chat')}`)).rejects.toThrow();
  expect(shop.seen).toHaveLength(1);
});

test('in a pod they come with the snapshot, and a snapshot that changes something else forgets nothing', async () => {
  const feed = testFeed();
  const limited = { inbound: { rateLimits: [SELDOM] } };
  feed.config.set(fed(limited));
  const pod = await mesh.start('pod', { feed, handler: (_request, response) => response.end() });
  expect((await call([], web, 'pod')).status).toBe(200);
  expect((await call([], web, 'pod')).status).toBe(429);
  feed.config.set(fed(limited, { targets: { apps: { web: {} } } }));
  expect((await call([], web, 'pod')).status).toBe(429);
  feed.config.set(fed());
  expect((await call([], web, 'pod')).status).toBe(200);
  await pod.stop();
});
