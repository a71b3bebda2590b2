// A limit of a target bounds the calls that are under way to it from here: what finds no room waits for its turn, or is refused, and
// then nothing of it has reached the app.
import { status as Code } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callerOf, faultOf, type GrpcApp, grpcApp, grpcOn, type Unary } from '../testing/grpc-app.ts';
import { type Answered, expectFaultBody, headerOf, type Sent } from './testing.ts';
import { about, inside, policiesForAll, resiliency, watchedClock, webForAll } from './testing-resiliency.ts';

const clock = watchedClock();
const { goBy, objects } = policiesForAll();
const web = webForAll({ clock, config: { resiliencies: objects } });
const one = web.instance('one');

// Times are such that nothing else waits for as long.
const limits = (maxInFlight: number, queueSize = 0, queueTimeout = '3210ms') => ({
  limits: { maxInFlight, queueSize, queueTimeout },
});

const call = (more: Partial<Sent> = {}) => web.call('one', more);
/** A call that is in the app. */
const enter = () => inside(one, call());

function expectRefused(answer: Answered): string {
  expect([answer.status, headerOf(answer, 'invoke-fault')]).toEqual([503, 'limit-reached']);
  expect(Number(headerOf(answer, 'retry-after'))).toBeGreaterThanOrEqual(1);
  return answer.body.toString();
}

test('calls beyond it are refused at once where nobody may wait, and let in once others have ended', async () => {
  goBy(about('one', limits(2)));
  const [first, second] = [await enter(), await enter()];
  expect(expectRefused(await call({ method: 'POST', body: 'x' }))).toMatch(
    /2 calls to one.default are under way.*nothing was sent/,
  );
  expect(one.seen).toHaveLength(2);
  first.response.end('done');
  expect((await first.answer).status).toBe(200);
  const third = await enter();
  for (const { response, answer } of [second, third]) {
    response.end();
    await answer;
  }
});

test('others wait for their turn, with all that they have sent; nobody more than the queue takes', async () => {
  goBy(about('one', limits(1, 1)));
  const { response, answer } = await enter();
  const pair = [call({ method: 'POST', body: 'the body' }), call({ method: 'POST', body: 'the body' })];
  const refused = await Promise.race(pair);
  expect(expectRefused(refused)).toContain('1 more wait');
  expect(one.seen).toHaveLength(1);
  response.end();
  await answer;
  const both = await Promise.all(pair);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 503]);
  expect(one.seen.map(({ body }) => body)).toEqual(['', 'the body']);
});

test('who has waited for too long is refused, and nothing was sent', async () => {
  goBy(about('one', limits(1, 5)));
  const { response, answer } = await enter();
  const waiting = call({ method: 'POST', body: 'x' });
  await clock.pass(3210);
  expect(expectRefused(await waiting)).toContain('waited for its turn for 3210 ms');
  response.end();
  await answer;
  expect(one.seen).toHaveLength(1);
});

test('a deadline that passes meanwhile says so', async () => {
  goBy(about('one', { ...limits(1, 5), totalTimeout: 'soon' }, { timeouts: { soon: '2s' } }));
  const first = await enter();
  const late = call({ headers: ['invoke-timeout', '1234m'] });
  await clock.pass(1234);
  const answer = await late;
  expect([answer.status, expectFaultBody(answer, 'timeout')]).toEqual([
    504,
    expect.stringContaining('resolving its name 0 ms, waiting for its turn 1234 ms'),
  ]);
  first.response.end();
  await first.answer;
  expect(one.seen).toHaveLength(1);
});

test('an edit counts those that are under way, and lets in who waits if there is room now', async () => {
  goBy(about('one', limits(1, 5)));
  const first = await enter();
  const seen = one.next();
  const second = call();
  await clock.waitingFor(3210);
  expect(one.seen).toHaveLength(1);
  objects.set([resiliency(about('one', limits(2, 0)))]);
  const response = await seen;
  expectRefused(await call());
  response.end();
  first.response.end();
  expect((await Promise.all([first.answer, second])).map(({ status }) => status)).toEqual([200, 200]);
});

describe('over gRPC', () => {
  let app: GrpcApp;
  beforeAll(async () => {
    app = await grpcApp();
    await web.mesh.start('shop', { config: grpcOn(app) });
  });
  afterAll(() => app.close());

  test('the same', async () => {
    goBy(about('shop', limits(1)));
    const caller = callerOf(web, 'shop');
    const { promise: seen, resolve: see } = Promise.withResolvers<() => void>();
    app.behaviour.unary = (request: Unary, done) => see(() => done(null, request.request));
    const first = caller.call('Unary', ['x']);
    const finish = await seen;
    const refused = await caller.call('Unary', ['x']);
    expect([refused.status.code, faultOf(refused)]).toEqual([Code.UNAVAILABLE, 'limit-reached']);
    finish();
    expect((await first).status.code).toBe(Code.OK);
    expect(app.seen).toHaveLength(1);
    caller.close();
  });
});
