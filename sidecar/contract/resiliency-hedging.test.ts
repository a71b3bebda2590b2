// Hedging: another try at another instance once the first is slow. Exactly one answer reaches the caller, the app of whoever is not
// heard of any more is told so, and what must not happen twice is never done twice.
import { once } from 'node:events';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  callerOf,
  type Download,
  type GrpcApp,
  type GrpcCaller,
  grpcApp,
  grpcOn,
  type Unary,
} from '../testing/grpc-app.ts';
import { type Answered, expectFault, type Sent } from './testing.ts';
import {
  about,
  type Held,
  heldBy,
  policiesForAll,
  SOON,
  seenBy,
  watchedClock,
  webForAll,
} from './testing-resiliency.ts';

const DELAY_MS = 234;
const HEDGED = { hedging: { delay: `${DELAY_MS}ms`, maxExtra: 1 }, retryBudget: { percent: 100, minPerSecond: 100 } };

const clock = watchedClock();
const { goBy, objects } = policiesForAll();
const web = webForAll({ clock, config: { resiliencies: objects } });
const three = web.instances('three', 3);
const call = (more: Partial<Sent> = {}) => web.call('three', more);

interface Hedged {
  readonly answer: Promise<Answered>;
  readonly slow: Held;
  readonly other: Held;
}

/** A call whose first try is so slow that another one is in an app beside it. */
async function hedged(more: Partial<Sent> = {}): Promise<Hedged> {
  const next = heldBy(three);
  const answer = call(more);
  const slow = await next();
  await clock.pass(DELAY_MS);
  return { answer, slow, other: await next() };
}

test('a slow first try has another one beside it; the sooner answers, and the other is told to stop', async () => {
  goBy(about('three', HEDGED));
  const { answer, slow, other: fast } = await hedged();
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
  const { answer, slow, other } = await hedged();
  const left = once(other.response, 'close');
  slow.response.end('slow');
  expect((await answer).body.toString()).toBe('slow');
  await left;
});

test('as many as may be, and no more', async () => {
  goBy(about('three', { ...HEDGED, hedging: { ...HEDGED.hedging, maxExtra: 2 } }));
  const next = heldBy(three);
  const answer = call();
  await next();
  await clock.pass(DELAY_MS);
  await next();
  await clock.pass(DELAY_MS);
  const last = await next();
  expect(clock.waiting()).not.toContain(DELAY_MS);
  expect(three.map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
  last.response.end('done');
  expect((await answer).status).toBe(200);
});

test('one that breaks leaves it to the other', async () => {
  goBy(about('three', HEDGED));
  const { answer, slow, other } = await hedged();
  const broken = once(slow.response, 'close');
  slow.response.destroy();
  await broken;
  other.response.end('whole');
  expect((await answer).body.toString()).toBe('whole');
  expect(seenBy(three)).toBe(2);
});

test('an answer that the policy would try again leaves it to the other', async () => {
  goBy(about('three', { ...HEDGED, retry: 'some' }, { retries: { some: { ...SOON, maxRetries: 3 } } }));
  const { answer, slow, other } = await hedged();
  other.response.writeHead(503).end();
  await once(other.response, 'close');
  slow.response.end('good');
  const { status, body } = await answer;
  expect([status, body.toString()]).toEqual([200, 'good']);
});

describe('no other try is made', () => {
  async function staysAlone(more: Partial<Sent> = {}): Promise<void> {
    const before = await web.told('three', 'hedges_total');
    const next = heldBy(three);
    const answer = call(more);
    const only = await next();
    clock.advance(1000);
    only.response.end('only');
    expect((await answer).body.toString()).toBe('only');
    expect(seenBy(three)).toBe(1);
    // One that was given up before it was sent has reached no app, and yet it was made.
    expect(await web.told('three', 'hedges_total')).toEqual(before);
  }

  test('of a POST', async () => {
    goBy(about('three', HEDGED));
    await staysAlone({ method: 'POST', body: 'x' });
  });

  test('on a route that must not be done twice', async () => {
    goBy(about('three', { ...HEDGED, routes: [{ name: 'pay', paths: ['/pay'], idempotent: false }] }));
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
    const next = heldBy(three);
    const answer = call();
    const { response } = await next();
    await clock.waitingFor(DELAY_MS);
    response.write('begun');
    response.flushHeaders();
    await expect.poll(() => clock.waiting().includes(DELAY_MS)).toBe(false);
    clock.advance(1000);
    response.end();
    expect((await answer).body.toString()).toBe('begun');
    expect(seenBy(three)).toBe(1);
  });
});

test('a caller whose deadline passes hears of it once, and all tries are told to stop', async () => {
  goBy(about('three', HEDGED));
  const { answer, slow, other } = await hedged({ headers: ['invoke-timeout', '1S'] });
  const left = [once(slow.response, 'close'), once(other.response, 'close')];
  clock.advance(1000 - DELAY_MS);
  expectFault(await answer, 'timeout');
  await Promise.all(left);
});

describe('over gRPC', () => {
  interface Came {
    readonly call: Unary;
    readonly answer: () => void;
  }
  let apps: readonly GrpcApp[];
  let caller: GrpcCaller;
  const ROUTES = [{ name: 'safe', grpc: ['shop.v1.Orders/Unary'], idempotent: true }];
  beforeAll(async () => {
    apps = [await grpcApp(), await grpcApp()];
    for (const app of apps) await web.mesh.start('shop', { config: grpcOn(app) });
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
    const [first, second] = [Promise.withResolvers<Came>(), Promise.withResolvers<Came>()];
    const free = [first, second];
    for (const app of apps)
      app.behaviour.unary = (call, done) =>
        void free.shift()?.resolve({ call, answer: () => done(null, call.request) });
    const outcome = caller.call('Unary', ['x']);
    const slow = await first.promise;
    await clock.pass(DELAY_MS);
    const fast = await second.promise;
    const cancelled = once(slow.call, 'cancelled');
    fast.answer();
    expect((await outcome).status.code).toBe(Code.OK);
    await cancelled;
    expect(apps.map(({ seen }) => seen.length)).toEqual([1, 1]);
    expect(await web.told('shop', 'hedges_total')).toEqual({ '': 1 });

    const { promise: asked, resolve: ask } = Promise.withResolvers<Download>();
    for (const app of apps) app.behaviour.download = ask;
    const alone = caller.call('Download', ['x']);
    const only = await asked;
    clock.advance(1000);
    only.end();
    expect((await alone).status.code).toBe(Code.OK);
    expect(await web.told('shop', 'hedges_total')).toEqual({ '': 1 });
  });
});
