// What a breaker lets through, state by state; and that it never lets more probe than it may, whatever happens when.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTrip } from '../../api/trip.ts';
import { must } from '../../kit/result.ts';
import { runs } from '../../kit/testing/runs.ts';
import { Breaker, type Pass } from './breaker.ts';
import { Breakers } from './breakers.ts';
import type { Health } from './codes.ts';
import type { BreakerPlan } from './plan.ts';
import { routePlan } from './testing/plans.ts';

function plan(changes: Partial<BreakerPlan> = {}): BreakerPlan {
  return {
    maxRequests: 1,
    intervalMs: 0,
    openMs: 1000,
    trip: must(parseTrip('consecutiveFailures >= 3')),
    ratio: undefined,
    counting: 'servers-failures',
    operationsMax: 100,
    ...changes,
  };
}

function call(breaker: Breaker, health: Health, nowMs: number): boolean {
  const pass = breaker.admit(nowMs);
  if (pass !== 0) breaker.done(pass, health, nowMs);
  return pass !== 0;
}

function opened(changes: Partial<BreakerPlan> = {}): Breaker {
  const breaker = new Breaker(plan(changes), 0);
  for (let failure = 0; failure < 3; failure++) call(breaker, 'failure', 0);
  expect(breaker.state).toBe('open');
  return breaker;
}

test('opens at its condition, and then refuses all, and says for how long', () => {
  const breaker = new Breaker(plan(), 0);
  expect(call(breaker, 'failure', 0)).toBe(true);
  expect(call(breaker, 'failure', 0)).toBe(true);
  expect(breaker.state).toBe('closed');
  expect(call(breaker, 'failure', 0)).toBe(true);
  expect(breaker.state).toBe('open');
  expect(call(breaker, 'success', 999)).toBe(false);
  expect(breaker.retryAfterMs(400)).toBe(600);
});

test('a success in between begins the row anew; what nobody heard the end of does not', () => {
  const breaker = new Breaker(plan(), 0);
  for (const health of ['failure', 'failure', 'success', 'failure', 'unknown', 'failure'] as const)
    call(breaker, health, 0);
  expect(breaker.state).toBe('closed');
  call(breaker, 'failure', 0);
  expect(breaker.state).toBe('open');
});

describe('once its time is over', () => {
  test('one call probes, and all others are refused meanwhile', () => {
    const breaker = opened();
    const probe = breaker.admit(1000);
    expect(probe).not.toBe(0);
    expect(breaker.admit(1000)).toBe(0);
    breaker.done(probe, 'success', 1001);
    expect(breaker.state).toBe('closed');
    expect(call(breaker, 'failure', 1001)).toBe(true);
    expect(breaker.state).toBe('closed');
  });

  test('a probe that fails opens it for as long again', () => {
    const breaker = opened();
    expect(call(breaker, 'failure', 1500)).toBe(true);
    expect(breaker.admit(2499)).toBe(0);
    expect(breaker.admit(2500)).not.toBe(0);
  });

  test('a probe whose caller went away makes room for another', () => {
    const breaker = opened();
    expect(call(breaker, 'unknown', 1000)).toBe(true);
    expect(call(breaker, 'success', 1000)).toBe(true);
    expect(breaker.state).toBe('closed');
  });

  test('all of the probes have to succeed', () => {
    const breaker = opened({ maxRequests: 2 });
    const [one, two] = [breaker.admit(1000), breaker.admit(1000)];
    expect(breaker.admit(1000)).toBe(0);
    breaker.done(one, 'success', 1000);
    expect(breaker.state).toBe('half-open');
    breaker.done(two, 'success', 1000);
    expect(breaker.state).toBe('closed');
  });
});

test('a call that began before it opened has no say afterwards', () => {
  const breaker = new Breaker(plan(), 0);
  const early = breaker.admit(0);
  for (let failure = 0; failure < 3; failure++) call(breaker, 'failure', 0);
  const probe = breaker.admit(1000);
  breaker.done(early, 'success', 1000);
  expect(breaker.state).toBe('half-open');
  breaker.done(probe, 'failure', 1000);
  expect(breaker.state).toBe('open');
});

test('with an interval, its counts begin anew each time', () => {
  const breaker = new Breaker(plan({ intervalMs: 100 }), 0);
  call(breaker, 'failure', 0);
  call(breaker, 'failure', 99);
  call(breaker, 'failure', 100);
  expect(breaker.state).toBe('closed');
});

test('opens at a share of failures, among enough calls, within its window', () => {
  const ratio = { percent: 50, windowMs: 10_000, minRequests: 10 };
  const breaker = new Breaker(plan({ trip: undefined, ratio }), 0);
  for (let number = 0; number < 5; number++) call(breaker, 'success', 0);
  for (let number = 0; number < 4; number++) call(breaker, 'failure', 0);
  expect(breaker.state).toBe('closed');
  call(breaker, 'failure', 0);
  expect(breaker.state).toBe('open');

  const later = new Breaker(plan({ trip: undefined, ratio }), 0);
  for (let number = 0; number < 9; number++) call(later, 'failure', 0);
  call(later, 'failure', 10_000);
  expect(later.state).toBe('closed');
});

test('a route has one breaker for all its paths; outside of routes each path has its own, up to a number', () => {
  const breakers = new Breakers();
  const route = routePlan({ name: 'orders', breaker: plan() });
  const other = routePlan({ breaker: plan({ operationsMax: 2 }) });
  expect(breakers.of(route, '/a', 0)).toBe(breakers.of(route, '/b', 0));
  const [a, b] = [breakers.of(other, '/a', 0), breakers.of(other, '/b', 0)];
  expect(a).not.toBe(b);
  expect(breakers.of(other, '/a', 0)).toBe(a);
  breakers.of(other, '/c', 0);
  expect(breakers.of(other, '/a', 0)).toBe(a);
  expect(breakers.of(other, '/b', 0)).not.toBe(b);
  expect(breakers.of(routePlan({}), '/a', 0)).toBe(undefined);
});

const event = fc.oneof(
  fc.record({ kind: fc.constant('admit' as const) }),
  fc.record({
    kind: fc.constant('done' as const),
    which: fc.nat(),
    health: fc.constantFrom('success' as const, 'failure' as const, 'unknown' as const),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(1500) }),
);

test('half-open, there are never more probes under way than allowed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(event, { maxLength: 150 }), (maxRequests, events) => {
      const breaker = new Breaker(plan({ maxRequests }), 0);
      let nowMs = 0;
      let underWay: { pass: Pass; isProbe: boolean }[] = [];
      for (const it of events) {
        if (it.kind === 'wait') nowMs += it.ms;
        else if (it.kind === 'admit') {
          const pass = breaker.admit(nowMs);
          if (pass !== 0) underWay.push({ pass, isProbe: breaker.state === 'half-open' });
        } else if (underWay.length > 0) {
          const [over] = underWay.splice(it.which % underWay.length, 1);
          if (over) breaker.done(over.pass, it.health, nowMs);
        }
        // A probe of an earlier half-open time is no probe of this one.
        const era = Math.max(0, ...underWay.map(({ pass }) => pass));
        const probes = underWay.filter(({ pass, isProbe }) => isProbe && pass === era);
        if (breaker.state === 'half-open') expect(probes.length).toBeLessThanOrEqual(maxRequests);
        underWay = underWay.slice(-20);
      }
    }),
    runs(500),
  );
});
