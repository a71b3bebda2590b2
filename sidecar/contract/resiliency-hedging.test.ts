// Hedging: another try at another instance once the first is slow. Exactly one answer reaches the caller, the app of whoever is not
// heard of any more is told so, and what must not happen twice is never done twice.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WritableSnapshot } from '../../kit/snapshot.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import { callerOf, type GrpcApp, type GrpcCaller, grpcApp, grpcOn, type Unary } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';
import {
  about,
  type Instance,
  instances,
  policies,
  SOON,
  type Spec,
  seenBy,
  type WatchedClock,
  watchedClock,
} from './testing-resiliency.ts';

let mesh: Mesh;
let web: MeshSidecar;
let clock: WatchedClock;
let three: readonly Instance[];
let objects: WritableSnapshot<readonly PlacedResiliency[]>;

const HEDGED = { hedging: { delay: '234ms', maxExtra: 1 }, retryBudget: { percent: 100, minPerSecond: 100 } };
const goBy = (...specs: readonly Spec[]) => objects.set(policies(...specs).current());

beforeAll(async () => {
  mesh = await startMesh();
  objects = policies();
  clock = watchedClock();
  web = await mesh.start('web', { clock, config: { resiliencies: objects } });
  three = await instances(mesh, 'three', 3);
});
afterEach(() => {
  goBy();
  for (const each of three) each.reset();
});
afterAll(() => mesh.close());

const call = (more: Partial<Parameters<typeof send>[1]> = {}) =>
  send(web.sidecar.ports.http, { path: to('three', '/x'), ...more });

interface Held {
  readonly at: number;
  readonly response: ServerResponse;
}

/** The requests that come from now on, one by one; the instances answer none of them by themselves. */
function held(): () => Promise<Held> {
  const all = three.map(async (each, at): Promise<Held> => ({ at, response: await each.next() }));
  const left = new Set(all.keys());
  return async () => {
    const one = await Promise.race([...left].map((at) => all[at] ?? Promise.reject(new Error('there is no such'))));
    left.delete(one.at);
    return one;
  };
}

test('a slow first try has another one beside it; the sooner answers, and the other is told to stop', async () => {
  goBy(about('three', HEDGED));
  const next = held();
  const answer = call();
  const slow = await next();
  await clock.waitingFor(234);
  clock.advance(234);
  const fast = await next();
  expect(fast.at).not.toBe(slow.at);
  const left = once(slow.response, 'close');
  fast.response.end('fast');
  expect((await answer).body.toString()).toBe('fast');
  await left;
  expect(slow.response.writableEnded).toBe(false);
  expect(seenBy(three)).toBe(2);
});

test('the first may still be the one that answers', async () => {
  goBy(about('three', HEDGED));
  const next = held();
  const answer = call();
  const slow = await next();
  await clock.waitingFor(234);
  clock.advance(234);
  const other = await next();
  const left = once(other.response, 'close');
  slow.response.end('slow');
  expect((await answer).body.toString()).toBe('slow');
  await left;
});

test('as many as may be, and no more', async () => {
  goBy(about('three', { ...HEDGED, hedging: { delay: '234ms', maxExtra: 2 } }));
  const next = held();
  const answer = call();
  let last = next();
  await last;
  for (let extra = 0; extra < 2; extra++) {
    await clock.waitingFor(234);
    clock.advance(234);
    last = next();
    await last;
  }
  expect(clock.waiting()).not.toContain(234);
  expect(three.map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
  (await last).response.end('done');
  expect((await answer).status).toBe(200);
});

test('one that breaks leaves it to the other', async () => {
  goBy(about('three', HEDGED));
  const next = held();
  const answer = call();
  const slow = await next();
  await clock.waitingFor(234);
  clock.advance(234);
  const other = await next();
  const broken = once(slow.response, 'close');
  slow.response.destroy();
  await broken;
  other.response.end('whole');
  expect((await answer).body.toString()).toBe('whole');
  expect(seenBy(three)).toBe(2);
});

test('an answer that the policy would try again leaves it to the other', async () => {
  goBy(about('three', { ...HEDGED, retry: 'some' }, { retries: { some: { ...SOON, maxRetries: 3 } } }));
  const next = held();
  const answer = call();
  const slow = await next();
  await clock.waitingFor(234);
  clock.advance(234);
  const other = await next();
  other.response.writeHead(503).end();
  await once(other.response, 'close');
  slow.response.end('good');
  const { status, body } = await answer;
  expect([status, body.toString()]).toEqual([200, 'good']);
});

describe('no other try is made', () => {
  async function staysAlone(more: Partial<Parameters<typeof send>[1]> = {}): Promise<void> {
    const next = held();
    const answer = call(more);
    const only = await next();
    clock.advance(1000);
    only.response.end('only');
    expect((await answer).body.toString()).toBe('only');
    expect(seenBy(three)).toBe(1);
  }

  test('of a POST', async () => {
    goBy(about('three', HEDGED));
    await staysAlone({ method: 'POST', body: 'x' });
  });

  test('on a route that must not be done twice', async () => {
    goBy(about('three', { ...HEDGED, routes: [{ name: 'x', paths: ['/x'], idempotent: false }] }));
    await staysAlone();
  });

  test('of a body that was not kept', async () => {
    goBy(about('three', HEDGED));
    await staysAlone({ method: 'PUT', body: Buffer.alloc(70_000) });
  });

  test('without a budget', async () => {
    goBy(about('three', { ...HEDGED, retryBudget: { percent: 0, minPerSecond: 0 } }));
    await staysAlone();
  });

  test('beyond the limit of the target', async () => {
    goBy(about('three', { ...HEDGED, limits: { maxInFlight: 1 } }));
    await staysAlone();
  });

  test('once the answer has begun', async () => {
    goBy(about('three', HEDGED));
    const next = held();
    const answer = call();
    const { response } = await next();
    await clock.waitingFor(234);
    response.write('begun');
    response.flushHeaders();
    await expect.poll(() => clock.waiting().includes(234)).toBe(false);
    clock.advance(1000);
    response.end();
    expect((await answer).body.toString()).toBe('begun');
    expect(seenBy(three)).toBe(1);
  });
});

test('a caller whose deadline passes hears of it once, and all tries are told to stop', async () => {
  goBy(about('three', HEDGED));
  const next = held();
  const answer = call({ headers: ['invoke-timeout', '1S'] });
  const slow = await next();
  await clock.waitingFor(234);
  clock.advance(234);
  const other = await next();
  const left = [once(slow.response, 'close'), once(other.response, 'close')];
  clock.advance(766);
  expectFault(await answer, 'timeout');
  await Promise.all(left);
});

describe('over gRPC', () => {
  let apps: readonly GrpcApp[];
  let caller: GrpcCaller;
  const ROUTES = [{ name: 'safe', grpc: ['shop.v1.Orders/Unary'], idempotent: true }];
  beforeAll(async () => {
    apps = [await grpcApp(), await grpcApp()];
    for (const app of apps) await mesh.start('shop', { config: grpcOn(app) });
    caller = callerOf(web, 'shop');
  });
  afterEach(() => {
    for (const { seen } of apps) seen.length = 0;
  });
  afterAll(() => {
    caller.close();
    for (const app of apps) app.close();
  });

  test('a route that is idempotent is hedged, and the loser is cancelled; another one is not', async () => {
    goBy(about('shop', { ...HEDGED, routes: ROUTES }));
    const came: { readonly call: Unary; readonly answer: () => void }[] = [];
    let tell = () => {};
    const next = async () => {
      if (came.length === 0)
        await new Promise<void>((done) => {
          tell = done;
        });
      const [one] = came.splice(0, 1);
      if (one === undefined) throw new Error('nothing came');
      return one;
    };
    for (const app of apps)
      app.behaviour.unary = (request, done) => {
        came.push({ call: request, answer: () => done(null, request.request) });
        tell();
      };
    const outcome = caller.call('Unary', ['x']);
    const slow = await next();
    await clock.waitingFor(234);
    clock.advance(234);
    const fast = await next();
    const cancelled = once(slow.call, 'cancelled');
    fast.answer();
    expect((await outcome).status.code).toBe(Code.OK);
    await cancelled;
    expect(apps.map(({ seen }) => seen.length)).toEqual([1, 1]);
  });
});
