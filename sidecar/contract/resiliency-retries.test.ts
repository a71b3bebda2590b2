// Retries by policy over HTTP. Of the behaviours of Dapr that programs rely on: a chunked upload to a failing app is attempted once
// even with a retry policy; one call without a policy and four with one; a default policy does the same, and body and headers are
// kept at each try; only listed codes and ranges are retried; a call recovers from three failures, and gives up with the last error.
// Of the faults of meshes: a POST beyond the buffer, or streamed, is never sent twice.
import { describe, expect, test } from 'vitest';
import { expectFault, headerOf, type Sent, to } from './testing.ts';
import { about, type Instance, policiesForAll, resiliency, SOON, seenBy, webForAll } from './testing-resiliency.ts';

const { goBy, objects } = policiesForAll();
const web = webForAll({ config: { resiliencies: objects } });
const one = web.instance('one');
const three = web.instances('three', 3);

const BUDGET = { retryBudget: { percent: 100, minPerSecond: 100 } };
const THRICE = { retries: { often: { ...SOON, maxRetries: 3 } } };

const call = (app: string, more: Partial<Sent> = {}) => web.call(app, { path: to(app, '/pay?x=1'), ...more });

describe('an app that answers 500', () => {
  test('is called once where no policy says otherwise', async () => {
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
    expect(one.seen).toHaveLength(1);
  });

  test('is called again as often as the policy says; the caller sees none of the errors', async () => {
    goBy(about('one', { retry: 'often', ...BUDGET }, THRICE));
    one.answers = [500, 503, 500];
    const answer = await call('one', { method: 'POST', body: 'the body', headers: ['x-mine', 'yes'] });
    expect([answer.status, answer.body.toString(), headerOf(answer, 'x-status')]).toEqual([200, 'status 200', '200']);
    expect(one.seen).toHaveLength(4);
    for (const seen of one.seen)
      expect(seen).toMatchObject({ method: 'POST', url: '/pay?x=1', body: 'the body', headers: { 'x-mine': 'yes' } });
  });

  test('to the end: the last error is the answer', async () => {
    goBy(about('one', { retry: 'often', ...BUDGET }, THRICE));
    one.answers = [500, 501, 502, 503];
    const answer = await call('one');
    expect([answer.status, answer.body.toString()]).toEqual([503, 'status 503']);
    expect(one.seen).toHaveLength(4);
  });

  test('a policy of the name DefaultAppRetryPolicy holds for every app', async () => {
    goBy({ policies: { retries: { DefaultAppRetryPolicy: { ...SOON, maxRetries: 3 } } } });
    one.answers = [500, 500, 500];
    expect((await call('one', { method: 'POST', body: 'x' })).status).toBe(200);
    expect(one.seen).toHaveLength(4);
  });

  test('a retry goes to another instance, as long as there are such', async () => {
    goBy(about('three', { retry: 'often', ...BUDGET }, THRICE));
    for (const { answers } of three) answers.push(500);
    expect((await call('three')).status).toBe(200);
    expect(three.map(({ seen }) => seen.length).sort()).toEqual([1, 1, 2]);
  });

  test('the budget ends it: the answer is the last one', async () => {
    goBy(about('one', { retry: 'often', retryBudget: { percent: 0, minPerSecond: 0 } }, THRICE));
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
    expect(one.seen).toHaveLength(1);
  });
});

describe('only what is listed', () => {
  test.each([
    [[429], 2],
    [[503], 2],
    [[500], 1],
    [[404], 1],
  ])('of 429 and 502 to 504: %j makes for calls: %i', async (answers, calls) => {
    const matching = { httpStatusCodes: '429,502-504' };
    goBy(about('one', { retry: 'some', ...BUDGET }, { retries: { some: { ...SOON, maxRetries: 3, matching } } }));
    one.answers = [...answers];
    await call('one');
    expect(one.seen).toHaveLength(calls);
  });
});

describe('what is sent once, whatever the policy', () => {
  const often = () => goBy(about('one', { retry: 'often', ...BUDGET }, THRICE));

  test('a chunked upload', async () => {
    often();
    one.answers = [500];
    const answer = await call('one', { method: 'POST', body: [Buffer.from('a'), Buffer.from('b')] });
    expect(answer.status).toBe(500);
    expect(one.seen).toHaveLength(1);
  });

  test('a body that is larger than what is kept', async () => {
    often();
    one.answers = [500];
    expect((await call('one', { method: 'POST', body: Buffer.alloc(70_000) })).status).toBe(500);
    expect(one.seen).toHaveLength(1);
  });

  test('a route that says that it must not be done twice; others of the app are tried again', async () => {
    const routes = [{ name: 'pay', paths: ['/pay'], idempotent: false }];
    goBy(about('one', { retry: 'often', routes, ...BUDGET }, THRICE));
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
    one.answers = [500];
    expect((await call('one', { path: to('one', '/look') })).status).toBe(200);
    expect(one.seen).toHaveLength(3);
  });
});

describe('a call whose app breaks before it answers', () => {
  const breakOff = async (each: Instance) => void (await each.next()).destroy();

  test('a POST, whose bytes it had, is not sent to another', async () => {
    for (const each of three) void breakOff(each);
    const answer = await call('three', { method: 'POST', body: 'once' });
    expectFault(answer, 'app-broke');
    expect(seenBy(three)).toBe(1);
  });

  test('a POST on a route that is idempotent goes to another, once', async () => {
    goBy(about('three', { routes: [{ name: 'pay', paths: ['/pay'], idempotent: true }] }));
    for (const each of three) void breakOff(each);
    expectFault(await call('three', { method: 'POST', body: 'again' }), 'app-broke');
    expect(three.flatMap(({ seen }) => seen.map(({ body }) => body))).toEqual(['again', 'again']);
    expect(three.map(({ seen }) => seen.length).sort()).toEqual([0, 1, 1]);
  });

  test('a GET goes to another, once, without a policy', async () => {
    for (const each of three) void breakOff(each);
    expectFault(await call('three'), 'app-broke');
    expect(three.map(({ seen }) => seen.length).sort()).toEqual([0, 1, 1]);
  });
});

describe('an edit', () => {
  test('counts from the next call on', async () => {
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
    goBy(about('one', { retry: 'often', ...BUDGET }, THRICE));
    one.answers = [500];
    expect((await call('one')).status).toBe(200);
    goBy();
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
  });

  test('of another app, or of another namespace, counts for nobody here', async () => {
    const spec = about('one', { retry: 'often', ...BUDGET }, THRICE);
    objects.set([resiliency({ ...spec, scopes: ['other'] }), { ...resiliency(spec), namespace: 'elsewhere' }]);
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
  });
});

test('an app that nobody knows is called by no policy', async () => {
  goBy({ policies: { retries: { DefaultAppRetryPolicy: { ...SOON, maxRetries: 3 } } } });
  expectFault(await call('nobody'), 'unknown-app');
});
