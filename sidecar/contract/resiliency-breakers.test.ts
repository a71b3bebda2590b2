// Breakers, timeouts and balancing by policy over HTTP. Of the behaviours of Dapr that programs rely on: a breaker opens at its
// threshold, chunked calls counted like others, says "circuit breaker is open", is half-open after its timeout, closes on success, and
// each operation has one of its own; a slow app is cut at the timeout, and a fast one is not; a call recovers from slow first answers.
import { beforeEach, describe, expect, test } from 'vitest';
import { headerOf, type Sent, to } from './testing.ts';
import { about, heldBy, inside, policiesForAll, watchedClock, webForAll } from './testing-resiliency.ts';

const clock = watchedClock();
const { goBy, objects } = policiesForAll();
const { call, instance, instances } = webForAll({ clock, config: { resiliencies: objects } });
const one = instance('one');
const three = instances('three', 3);

describe('a breaker', () => {
  const thrice = { timeout: '30s', trip: 'consecutiveFailures > 2' };
  beforeEach(() => goBy(about('one', { circuitBreaker: 'soon' }, { circuitBreakers: { soon: thrice } })));

  async function open(more: Partial<Sent> = {}): Promise<void> {
    one.answers = [500, 500, 500];
    for (let number = 0; number < 3; number++) expect((await call('one', more)).status).toBe(500);
    expect(one.seen).toHaveLength(3);
  }

  test.each([
    ['plain', {}],
    ['chunked', { method: 'POST', body: [Buffer.from('a'), Buffer.from('b')] }],
  ])('opens after three failures of %s calls, and refuses without calling', async (_kind, more) => {
    await open(more);
    const refused = await call('one', more);
    expect([refused.status, headerOf(refused, 'invoke-fault')]).toEqual([503, 'breaker-open']);
    expect(refused.body.toString()).toContain('circuit breaker is open');
    const waitSec = Number(headerOf(refused, 'retry-after'));
    expect(waitSec).toBeGreaterThanOrEqual(30);
    expect(waitSec).toBeLessThan(39);
    expect(one.seen).toHaveLength(3);
  });

  test('lets one probe when its time is over, and closes when that goes well', async () => {
    await open();
    clock.advance(30_000);
    const probe = await inside(one, call('one'));
    expect(headerOf(await call('one'), 'invoke-fault')).toBe('breaker-open');
    probe.response.end('well');
    expect((await probe.answer).status).toBe(200);
    expect((await call('one')).status).toBe(200);
  });

  test('opens anew when its probe fails', async () => {
    await open();
    clock.advance(30_000);
    one.answers = [500];
    expect((await call('one')).status).toBe(500);
    expect(headerOf(await call('one'), 'invoke-fault')).toBe('breaker-open');
  });

  test('stops the calls of its own operation alone', async () => {
    await open();
    expect((await call('one', { path: to('one', '/other') })).status).toBe(200);
    expect((await call('three')).status).toBe(200);
  });

  test('stops retries, too: the answer is that of the app', async () => {
    const more = { circuitBreakers: { soon: thrice }, retries: { ever: { duration: '700ms' } } };
    goBy(about('one', { circuitBreaker: 'soon', retry: 'ever' }, more));
    one.answers = [500, 500, 501, 500, 500];
    const answer = call('one');
    for (let pauses = 0; pauses < 2; pauses++) await clock.pass(700);
    expect((await answer).status).toBe(501);
    expect(one.seen).toHaveLength(3);
  });
});

describe('a timeout', () => {
  const half = { timeouts: { half: '500ms', whole: '2s' } };

  test('cuts a try that does not begin to answer, and does not harm one that does', async () => {
    goBy(about('one', { timeout: 'half' }, half));
    const slow = await inside(one, call('one'));
    clock.advance(500);
    const cut = await slow.answer;
    expect([cut.status, headerOf(cut, 'invoke-fault')]).toEqual([504, 'timeout']);
    expect(cut.body.toString()).toContain('500 ms that a Resiliency gives each try');
    const sooner = await inside(one, call('one'));
    clock.advance(499);
    sooner.response.end('done');
    expect((await sooner.answer).status).toBe(200);
  });

  test('of each try leads to the next one, elsewhere', async () => {
    goBy(
      about(
        'three',
        { timeout: 'half', retry: 'once' },
        { ...half, retries: { once: { duration: '1ms', maxRetries: 1 } } },
      ),
    );
    const next = heldBy(three);
    const answer = call('three', { method: 'POST', body: 'x' });
    await next();
    clock.advance(500);
    clock.advance(1);
    const second = await next();
    second.response.end('late, and good');
    expect((await answer).body.toString()).toBe('late, and good');
    expect(three.map(({ seen }) => seen.length).sort()).toEqual([0, 1, 1]);
  });

  test('of the whole call bounds all tries and pauses, and says where the time went', async () => {
    const retries = { slow: { duration: '1500ms', maxRetries: 5 } };
    goBy(about('one', { totalTimeout: 'whole', retry: 'slow' }, { ...half, retries }));
    one.answers = [500];
    const answer = call('one');
    await clock.waitingFor(1500);
    const second = one.next();
    clock.advance(1500);
    const response = await second;
    expect(Number.parseFloat(String(one.seen[1]?.headers['invoke-timeout']))).toBeGreaterThan(0);
    clock.advance(500);
    const late = await answer;
    response.destroy();
    expect([late.status, headerOf(late, 'invoke-fault')]).toEqual([504, 'timeout']);
    expect(late.body.toString()).toContain(
      'try 1: connecting 0 ms, waiting for its answer 0 ms, then status 500; a pause of 1500 ms; try 2: connecting 0 ms, waiting for its answer 500 ms',
    );
  });
});
