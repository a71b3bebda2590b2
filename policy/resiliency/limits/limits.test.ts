// How many, how often, and how many an app can bear: bounds that hold whatever comes when.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Identity, TrustDomain } from '../../../api/ids.ts';
import type { Cancel } from '../../../kit/clock.ts';
import { manualClock } from '../../../kit/testing/clock.ts';
import { runs } from '../../../kit/testing/runs.ts';
import { compileInbound } from '../inbound.ts';
import { resiliency, seeded, target } from '../testing/plans.ts';
import { Gradient } from './gradient.ts';
import { InFlight } from './in-flight.ts';
import { RateLimits, type RateRule } from './rate.ts';
import { retryAfterSec } from './retry-after.ts';

const identity = (app: string, namespace = 'front', trustDomain = 'cluster.local'): Identity => ({
  ...target(app, namespace),
  trustDomain: trustDomain as TrustDomain,
});

describe('calls in flight', () => {
  function gate(limit: number, queueSize: number) {
    const clock = manualClock(0);
    const heard: string[] = [];
    const inFlight = new InFlight({ clock, limit, queueSize, queueTimeoutMs: 1000 });
    const wait = (name: string): Cancel | undefined =>
      inFlight.wait({ admitted: () => heard.push(`${name} in`), timedOut: () => heard.push(`${name} late`) });
    return { clock, heard, inFlight, wait };
  }

  test('up to the limit they go on at once, then as many wait as the queue takes', () => {
    const { inFlight, wait } = gate(2, 1);
    expect([inFlight.tryEnter(), inFlight.tryEnter(), inFlight.tryEnter()]).toEqual([true, true, false]);
    expect(wait('a')).toBeDefined();
    expect(wait('b')).toBe(undefined);
  });

  test('who waits is let in in order as others leave, and nobody overtakes', () => {
    const { inFlight, wait, heard, clock } = gate(1, 5);
    inFlight.tryEnter();
    for (const name of ['a', 'b', 'c']) wait(name);
    inFlight.leave();
    expect(heard).toEqual(['a in']);
    expect(inFlight.tryEnter()).toBe(false);
    inFlight.leave();
    inFlight.leave();
    expect(heard).toEqual(['a in', 'b in', 'c in']);
    expect(clock.waiting()).toEqual([]);
  });

  test('who waits for too long is told, and who left the queue is not', () => {
    const { inFlight, wait, heard, clock } = gate(1, 5);
    inFlight.tryEnter();
    wait('a');
    wait('b')?.();
    clock.advance(1000);
    inFlight.leave();
    expect(heard).toEqual(['a late']);
    expect(inFlight.inside).toBe(0);
    expect(clock.waiting()).toEqual([]);
  });

  test('a limit that rises lets more in, and one that falls turns nobody out', () => {
    const { inFlight, wait, heard } = gate(1, 5);
    inFlight.tryEnter();
    wait('a');
    inFlight.setLimit(2);
    expect(heard).toEqual(['a in']);
    inFlight.setLimit(1);
    expect(inFlight.inside).toBe(2);
    inFlight.leave();
    expect(inFlight.tryEnter()).toBe(false);
  });

  test('nobody overtakes from inside the word that lets another in', () => {
    const { inFlight, wait, heard } = gate(0, 5);
    inFlight.wait({ admitted: () => heard.push(`overtook: ${inFlight.tryEnter()}`), timedOut: () => undefined });
    wait('b');
    inFlight.setLimit(2);
    expect(heard).toEqual(['overtook: false', 'b in']);
  });

  const step = fc.constantFrom('enter', 'leave', 'tick', 'cancel');
  test('there are never more inside or waiting than may be, and whoever waits is heard of once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.nat(4),
        fc.array(step, { maxLength: 200 }),
        (limit, queue, steps) => {
          const { inFlight, wait, heard, clock } = gate(limit, queue);
          const cancels: Cancel[] = [];
          let [waited, cancelled] = [0, 0];
          for (const it of steps) {
            if (it === 'enter' && !inFlight.tryEnter()) {
              const cancel = wait('x');
              if (cancel) waited += cancels.push(cancel) && 1;
            }
            if (it === 'leave' && inFlight.inside > 0) inFlight.leave();
            if (it === 'tick') clock.advance(400);
            if (it === 'cancel') {
              const before = inFlight.waiting;
              cancels.pop()?.();
              cancelled += before - inFlight.waiting;
            }
            expect(inFlight.inside).toBeLessThanOrEqual(limit);
            expect(inFlight.waiting).toBeLessThanOrEqual(queue);
            expect(heard.length + cancelled + inFlight.waiting).toBe(waited);
            expect(clock.waiting().length).toBe(inFlight.waiting);
          }
        },
      ),
      runs(300),
    );
  });
});

describe('calls of a caller', () => {
  const rule = (intervalMs: number, burst: number): RateRule => ({ isAbout: () => true, intervalMs, burst });

  test('come as a burst, then at their rate, and who comes too soon is told when to come', () => {
    const limits = new RateLimits([rule(100, 2)]);
    const web = identity('web');
    expect([0, 0, 0, 99, 100, 101].map((nowMs) => limits.admit(web, nowMs))).toEqual([0, 0, 100, 1, 0, 99]);
  });

  test('are counted by identity, and not by connection', () => {
    const limits = new RateLimits([rule(100, 1)]);
    expect(limits.admit(identity('web'), 0)).toBe(0);
    expect(limits.admit(identity('web'), 0)).toBe(100);
    expect(limits.admit(identity('web', 'other'), 0)).toBe(0);
  });

  test('of too many callers those for whom there is no room share one allowance; idle ones make room', () => {
    const limits = new RateLimits([rule(100, 1)], 2);
    for (const app of ['a', 'b']) expect(limits.admit(identity(app), 0)).toBe(0);
    expect([limits.admit(identity('c'), 0), limits.admit(identity('d'), 0)]).toEqual([0, 100]);
    expect(limits.size).toBe(2);
    const [e, f] = [identity('e'), identity('f')];
    expect([limits.admit(e, 100), limits.admit(f, 100), limits.admit(e, 100), limits.admit(f, 100)]).toEqual([
      0, 0, 100, 100,
    ]);
    expect(limits.size).toBe(2);
  });

  test('have used up of new rules as many as of the old ones', () => {
    const limits = new RateLimits([rule(3_600_000, 5)]);
    const web = identity('web');
    for (let call = 0; call < 5; call++) expect(limits.admit(web, 0)).toBe(0);
    limits.setRules([rule(100, 6)], 0);
    expect([limits.admit(web, 0), limits.admit(web, 0)]).toEqual([0, 100]);
    limits.setRules([], 0);
    expect([limits.admit(web, 0), limits.size]).toEqual([0, 0]);
  });

  test('never are more than the larger burst and what the faster rate adds, whatever is edited meanwhile', () => {
    const edit = fc.record({ intervalMs: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 5 }) });
    const step = fc.record({ gapMs: fc.nat(30), edit: fc.option(edit, { nil: undefined }) });
    fc.assert(
      fc.property(edit, fc.array(step, { maxLength: 150 }), (first, steps) => {
        const rules = [first, ...steps.flatMap((one) => one.edit ?? [])];
        const fastestMs = Math.min(...rules.map(({ intervalMs }) => intervalMs));
        const burst = Math.max(...rules.map((one) => one.burst));
        const limits = new RateLimits([rule(first.intervalMs, first.burst)]);
        const web = identity('web');
        let [nowMs, admitted] = [0, 0];
        for (const { gapMs, edit: now } of steps) {
          nowMs += gapMs;
          if (now !== undefined) limits.setRules([rule(now.intervalMs, now.burst)], nowMs);
          if (limits.admit(web, nowMs) === 0) admitted++;
          expect(admitted).toBeLessThanOrEqual(burst + nowMs / fastestMs + 1e-6);
        }
      }),
      runs(300),
    );
  });

  test('never are more than the burst and what the rate adds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat(60), { maxLength: 200 }),
        (intervalMs, burst, gaps) => {
          const limits = new RateLimits([rule(intervalMs, burst)]);
          const web = identity('web');
          const admitted: number[] = [];
          let nowMs = 0;
          for (const gap of gaps) {
            nowMs += gap;
            if (limits.admit(web, nowMs) === 0) admitted.push(nowMs);
            const since = admitted[Math.max(0, admitted.length - 20)] ?? 0;
            const count = admitted.filter((at) => at >= since).length;
            expect(count).toBeLessThanOrEqual(burst + (nowMs - since) / intervalMs + 1e-6);
          }
        },
      ),
      runs(300),
    );
  });
});

describe('what an app can bear', () => {
  function fed(gradient: Gradient, periods: number, tookMs: number, inFlight: number, fromMs: number): number {
    let nowMs = fromMs;
    for (let period = 0; period < periods; period++) {
      nowMs += 200;
      for (let call = 0; call < 20; call++) gradient.sample(tookMs, inFlight, nowMs);
    }
    return nowMs;
  }

  test('is more, while calls take no longer; and less, as soon as they do', () => {
    const gradient = new Gradient({ min: 4, max: 1000 }, 0);
    const atMs = fed(gradient, 50, 10, 1000, 0);
    const grown = gradient.limit;
    expect(grown).toBeGreaterThan(100);
    fed(gradient, 20, 100, 1000, atMs);
    expect(gradient.limit).toBeLessThan(grown / 4);
  });

  test('is not more, while nobody needs it', () => {
    const gradient = new Gradient({ min: 4, max: 1000 }, 0);
    fed(gradient, 50, 10, 2, 0);
    expect(gradient.limit).toBe(50);
  });

  test('is seen anew after some minutes, when the app has become slower for good', () => {
    const gradient = new Gradient({ min: 4, max: 1000 }, 0);
    const atMs = fed(gradient, 50, 10, 1000, 0);
    fed(gradient, 1800, 40, 1000, atMs);
    expect(gradient.limit).toBeGreaterThan(100);
  });

  test('is always within its bounds', () => {
    const load = fc.record({
      tookMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
      inFlight: fc.nat(5000),
      afterMs: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(load, { maxLength: 300 }), (loads) => {
        const gradient = new Gradient({ min: 4, max: 100 }, 0);
        let nowMs = 0;
        for (const { tookMs, inFlight, afterMs } of loads) {
          nowMs += afterMs;
          gradient.sample(tookMs, inFlight, nowMs);
          expect(gradient.limit).toBeGreaterThanOrEqual(4);
          expect(gradient.limit).toBeLessThanOrEqual(100);
        }
      }),
      runs(100),
    );
  });
});

test('who was refused comes back after a second at least, and not all at the same moment', () => {
  expect(retryAfterSec(0, () => 0)).toBe(1);
  expect(retryAfterSec(1001, () => 0)).toBe(2);
  const random = seeded(1);
  expect(new Set(Array.from({ length: 50 }, () => retryAfterSec(60_000, random))).size).toBeGreaterThan(5);
});

describe('what holds for calls to an app', () => {
  const own = identity('orders');
  const inbound = {
    limits: { maxInFlight: 5, queueSize: 2 },
    shedding: 'gradient',
    rateLimits: [{ from: [{ app: 'job-*' }], requests: 10, per: '2s', burst: 3 }, { requests: 1000 }],
  };

  test('its own namespace says, in one object', () => {
    expect(compileInbound(own, [])).toEqual({ limit: undefined, shedding: 'none', rates: [] });
    expect(compileInbound(identity('orders', 'back'), [resiliency('a', { inbound })]).limit).toBe(undefined);
    expect(compileInbound(own, [resiliency('a', { inbound, scopes: ['stock'] })]).limit).toBe(undefined);
    expect(compileInbound(own, [resiliency('a', { inbound })])).toMatchObject({
      limit: { maxInFlight: 5, queueSize: 2, queueTimeoutMs: 1000 },
      shedding: 'gradient',
    });
  });

  test('the first rate that is about a caller counts', () => {
    const { rates } = compileInbound(own, [resiliency('a', { inbound })]);
    const first = (caller: Identity) => rates.findIndex(({ isAbout }) => isAbout(caller));
    expect(rates).toMatchObject([
      { intervalMs: 200, burst: 3 },
      { intervalMs: 1, burst: 1000 },
    ]);
    expect(first(identity('job-a'))).toBe(0);
    expect(first(identity('job-a', 'back'))).toBe(1);
    expect(first(identity('job-a', 'front', 'other.example'))).toBe(1);
    expect(first(identity('web'))).toBe(1);
  });
});
