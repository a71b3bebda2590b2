// What whoever runs a sidecar sees of its resilience: metrics, and lines of the log, while an app fails and recovers.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../kit/clock.ts';
import { createLog } from '../../kit/log.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { headerOf, type Sent, send, to } from './testing.ts';
import {
  about,
  heldBy,
  type Instance,
  instances,
  policiesForAll,
  resiliency,
  SOON,
  type Spec,
  webForAll,
} from './testing-resiliency.ts';

const clock = manualClock();
// Pauses of a millisecond are over at once; all else waits for the test.
const hasty: Clock = {
  ...clock,
  after(delayMs, task) {
    const cancel = clock.after(delayMs, task);
    if (delayMs <= 1) queueMicrotask(() => clock.advance(1));
    return cancel;
  },
};
const lines: Record<string, unknown>[] = [];
const write = (line: string) => void lines.push(JSON.parse(line));
const log = createLog({ level: 'info', format: 'json', write, now: () => 0 });

const policies = policiesForAll();
const web = webForAll({ clock: hasty, log, config: { resiliencies: policies.objects } });
let three: readonly Instance[];

/** Each test has an app of its own, so that nothing is left of the one before. */
let app = '';
let number = 0;

const ONCE = { retries: { once: { ...SOON, maxRetries: 1 } } };
const IN_TURN = { balancing: { algorithm: 'round-robin' } };
const goBy = (target: Spec, more: Spec = {}) => policies.goBy(about(app, target, more));

beforeEach(async () => {
  app = `app-${number++}`;
  three = await instances(web.mesh, app, 3);
  lines.length = 0;
});
afterEach(() => Promise.all(three.map((each) => each.sidecar?.stop())));

const call = (more: Partial<Sent> = {}) => web.call(app, more);

const told = (metric: string) => web.told(app, metric);

const failAll = () => {
  for (const each of three) each.answers = Array(10).fill(500);
};

const said = (message: string) => lines.filter((line) => String(line.message).includes(message));

describe('tries and retries', () => {
  test('are counted, those by a policy with what the budget paid', async () => {
    goBy({ retry: 'once' }, ONCE);
    await call();
    failAll();
    await call();
    expect(await told('tries_total')).toEqual({ '': 3 });
    expect(await told('retries_total')).toEqual({ 'reason="policy"': 1 });
    expect(await told('retry_budget_spent_total')).toEqual({ '': 1 });
    // Ten are there for a target that is called seldom.
    expect(await told('retry_budget_left_ratio')).toEqual({ '': 0.9 });
  });

  test('tell a retry of what reached no app from one of what broke', async () => {
    goBy(IN_TURN);
    for (const each of three.slice(1)) each.sidecar?.app?.close().closeAllConnections();
    await call();
    await call();
    expect(await told('retries_total')).toEqual({ 'reason="undelivered"': 2 });
    const broken = three[0]?.next();
    const answer = call();
    (await broken)?.destroy();
    await answer;
    expect(await told('retries_total')).toMatchObject({ 'reason="idempotent"': 1 });
  });

  test('that the budget did not pay for are counted', async () => {
    const target = { retry: 'once', retryBudget: { percent: 0, minPerSecond: 0 } };
    goBy(target, ONCE);
    failAll();
    expect((await call()).status).toBe(500);
    expect(await told('retry_budget_refused_total')).toEqual({ '': 1 });
    expect(await told('retry_budget_spent_total')).toEqual({});
    expect(await told('retry_budget_left_ratio')).toEqual({ '': 0 });
  });

  test('of hedging are counted, and so are calls that wait for their limit', async () => {
    goBy({ ...IN_TURN, hedging: { delay: '234ms' }, limits: { maxInFlight: 2, queueSize: 5, queueTimeout: '60s' } });
    const next = heldBy(three);
    const answer = call();
    const slow = await next();
    expect(await told('limit_calls')).toEqual({ 'state="under-way"': 1, 'state="waiting"': 0 });
    clock.advance(234);
    const fast = await next();
    expect(await told('hedges_total')).toEqual({ '': 1 });
    fast.response.end();
    expect((await answer).status).toBe(200);
    slow.response.destroy();
  });

  test('keep bodies, which are counted until the answer begins', async () => {
    const kept = async () => /^invoke_replay_bytes (\d+)$/m.exec(await web.scraped())?.[1];
    const next = heldBy(three);
    const answer = call({ method: 'POST', body: 'x'.repeat(1000) });
    const { response } = await next();
    expect(await kept()).toBe('1000');
    response.end();
    await answer;
    expect(await kept()).toBe('0');
  });
});

describe('a breaker', () => {
  const PAY = { name: 'pay', paths: ['/pay'], circuitBreaker: 'soon' };
  const SOON_OPEN = { circuitBreakers: { soon: { timeout: '30s', trip: 'consecutiveFailures > 2' } } };

  async function open(path?: string): Promise<void> {
    failAll();
    for (let calls = 0; calls < 3; calls++) expect((await call(path === undefined ? {} : { path })).status).toBe(500);
    for (const each of three) each.answers = [];
  }

  test('of a route tells its state, what became of it, and whom it refused', async () => {
    goBy({ routes: [PAY] }, SOON_OPEN);
    await open();
    expect(headerOf(await call(), 'invoke-fault')).toBe('breaker-open');
    const states = (state: string) => ({
      'route="pay",state="closed"': Number(state === 'closed'),
      'route="pay",state="half-open"': Number(state === 'half-open'),
      'route="pay",state="open"': Number(state === 'open'),
    });
    expect(await told('breakers')).toEqual(states('open'));
    expect(await told('breaker_refused_total')).toEqual({ 'route="pay"': 1 });
    clock.advance(30_000);
    expect(await told('breakers')).toEqual(states('half-open'));
    await call();
    expect(await told('breakers')).toEqual(states('closed'));
    expect(await told('breaker_transitions_total')).toEqual({
      'route="pay",to="open"': 1,
      'route="pay",to="half-open"': 1,
      'route="pay",to="closed"': 1,
    });
  });

  test('outside of routes is one of several, which are counted together', async () => {
    goBy({ circuitBreaker: 'soon' }, SOON_OPEN);
    await call({ path: to(app, '/one') });
    await call({ path: to(app, '/two') });
    await open();
    expect(await told('breakers')).toEqual({
      'route="",state="closed"': 2,
      'route="",state="half-open"': 0,
      'route="",state="open"': 1,
    });
  });

  test('has a line when it opens, with why and for how long, and one when it closes', async () => {
    goBy({ routes: [PAY] }, SOON_OPEN);
    await open();
    const about = { target: `${app}.default`, route: 'pay' };
    const why = '3 of 3 calls failed, the last 3 in a row';
    expect(said('breaker')).toEqual([expect.objectContaining({ level: 'warn', ...about, why, forMs: 30_000 })]);
    clock.advance(30_000);
    await call();
    expect(said('breaker closed')).toEqual([expect.objectContaining({ level: 'info', ...about })]);
  });
});

describe('metadata', () => {
  const metadata = async () =>
    JSON.parse((await send(web.sidecar.ports.http, { path: '/v1.0/metadata' })).body.toString());
  const aboutApp = async () =>
    (await metadata()).resilience.targets.find(({ target }: { target: string }) => target === `${app}.default`);

  test('names the objects in effect, those of other apps not among them; over gRPC, too', async () => {
    const others = resiliency(
      { ...about('x', { timeout: 'a' }, { timeouts: { a: '1s' } }), scopes: ['other'] },
      'theirs',
    );
    policies.objects.set([resiliency(about(app, IN_TURN), 'ours'), others]);
    expect((await metadata()).resiliencies).toEqual([{ name: 'ours' }]);
    const client = new DaprClient(web.sidecar.ports.grpc);
    expect((await client.metadata()).resiliencies).toEqual([{ name: 'ours' }]);
    client.close();
  });

  test('tells of breakers, the budget, and who is left alone for how long; and forgets them with the trouble', async () => {
    const soon = { soon: { timeout: '30s', trip: 'consecutiveFailures > 0' } };
    goBy(
      {
        ...IN_TURN,
        ejection: { consecutiveFailures: 2 },
        routes: [{ name: 'pay', paths: ['/pay'], circuitBreaker: 'soon' }],
      },
      { circuitBreakers: soon },
    );
    const [first] = three;
    if (first !== undefined) first.answers = [500, 500, 500];
    for (let calls = 0; calls < 6; calls++) await call({ path: to(app, '/other') });
    if (three[1] !== undefined) three[1].answers = [500];
    await call();
    clock.advance(1000);
    expect(await aboutApp()).toEqual({
      target: `${app}.default`,
      instances: 3,
      leftAlone: [
        { instance: `127.0.0.1:${first?.sidecar?.sidecar.ports.peer}`, state: 'ejected', forMs: 9000, failures: 2 },
      ],
      leftAloneLeftOut: 0,
      budget: { retries: 10, left: 10 },
      breakers: [{ route: 'pay', state: 'open', forMs: 29_000 }],
      breakersLeftOut: 0,
    });
    clock.advance(29_000);
    if (first !== undefined) first.answers = [];
    await call();
    expect(await aboutApp()).toMatchObject({ leftAlone: [], breakers: [{ route: 'pay', state: 'closed', forMs: 0 }] });
  });

  test('is bounded: open breakers are shown first, and how many were left out is said', async () => {
    goBy(
      { circuitBreaker: 'soon' },
      { circuitBreakers: { soon: { timeout: '30s', trip: 'consecutiveFailures > 0' } } },
    );
    for (let path = 0; path < 30; path++) {
      if (path === 25) failAll();
      await call({ path: to(app, `/${path}`) });
      for (const each of three) each.answers = [];
    }
    const { breakers, breakersLeftOut } = await aboutApp();
    expect([breakers.length, breakersLeftOut]).toEqual([20, 10]);
    expect(breakers[0]).toEqual({ path: '/25', state: 'open', forMs: 30_000 });
  });
});

describe('an instance', () => {
  /** So often that the first one is ejected, while the others answer. */
  async function eject(): Promise<void> {
    goBy(IN_TURN);
    const [first] = three;
    if (first !== undefined) first.answers = Array(5).fill(500);
    for (let calls = 0; calls < 15; calls++) await call();
  }

  test('that is ejected is counted, with why, and again when it is back', async () => {
    await eject();
    expect([await told('instances'), await told('instances_ejected')]).toEqual([{ '': 3 }, { '': 1 }]);
    expect(await told('ejections_total')).toEqual({ 'reason="failures"': 1 });
    clock.advance(10_000);
    await call();
    expect(await told('instances_ejected')).toEqual({ '': 0 });
    expect(await told('readmissions_total')).toEqual({ '': 1 });
  });

  test('has a line with its address, why, and for how long; and one when it is back', async () => {
    await eject();
    const about = { target: `${app}.default`, instance: `127.0.0.1:${three[0]?.sidecar?.sidecar.ports.peer}` };
    expect(said('ejected')).toEqual([
      expect.objectContaining({ level: 'warn', ...about, why: '5 failures in a row', forMs: 10_000 }),
    ]);
    clock.advance(10_000);
    await call();
    expect(said('called again')).toEqual([expect.objectContaining({ level: 'info', ...about })]);
  });
});
