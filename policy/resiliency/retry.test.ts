// Who is tried again, when and where: one sentence about the rules each, and bounds of the pauses whatever is written.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FaultCode } from '../../api/fault.ts';
import { runs } from '../../kit/testing/runs.ts';
import { matchingOf, type Outcome } from './codes.ts';
import { hedgeAfterMs } from './hedging.ts';
import type { BuiltInPlan, RoutePlan } from './plan.ts';
import { again, deadlineOf, isIdempotent, NEVER_TRIED, pauseMs, type Tried } from './retry.ts';
import { retryPlan, routePlan } from './testing/plans.ts';

const GET = { kind: 'http', method: 'GET' } as const;
const POST = { kind: 'http', method: 'POST' } as const;
const GRPC = { kind: 'grpc', method: 'POST' } as const;
const half = () => 0.5;

function asked(
  call: typeof GET | typeof POST | typeof GRPC,
  outcome: Outcome,
  {
    route = routePlan({}),
    tried = NEVER_TRIED,
    builtIn = ON,
  }: { route?: RoutePlan; tried?: Tried; builtIn?: BuiltInPlan } = {},
) {
  return again(call, outcome, tried, { route, builtIn, random: half });
}

const ON: BuiltInPlan = { undelivered: true, idempotent: true };
const fault = (code: FaultCode): Outcome => ({ kind: 'fault', code });
const answer = (status: number, protocol: 'http' | 'grpc' = 'http'): Outcome => ({ kind: 'answer', protocol, status });
const NO = { kind: 'no' };

describe('without any policy', () => {
  test.each(['peer-unreachable', 'draining', 'not-ready', 'app-unreachable'] as const)(
    '%s goes elsewhere at once, even a POST',
    (code) => {
      expect(asked(POST, fault(code))).toEqual({ kind: 'again', by: 'undelivered', afterMs: 0, where: 'elsewhere' });
    },
  );

  test('a connection that was closing is no reason to leave the instance', () => {
    expect(asked(POST, fault('peer-closing'))).toMatchObject({ kind: 'again', where: 'anywhere' });
  });

  test('there are five tries in all', () => {
    expect(asked(POST, fault('draining'), { tried: { ...NEVER_TRIED, undelivered: 3 } }).kind).toBe('again');
    expect(asked(POST, fault('draining'), { tried: { ...NEVER_TRIED, undelivered: 4 } })).toEqual(NO);
  });

  test.each(['peer-broke', 'app-broke'] as const)(
    'a GET that ended in %s goes elsewhere once; a POST never',
    (code) => {
      expect(asked(GET, fault(code))).toEqual({ kind: 'again', by: 'idempotent', afterMs: 0, where: 'elsewhere' });
      expect(asked(GET, fault(code), { tried: { ...NEVER_TRIED, idempotent: 1 } })).toEqual(NO);
      expect(asked(POST, fault(code))).toEqual(NO);
      expect(asked(GRPC, fault(code))).toEqual(NO);
    },
  );

  test('a try that took too long is not made again: slow instances need no more load', () => {
    expect(asked(GET, { kind: 'try-timeout' })).toEqual(NO);
  });

  test('an answer is an answer, whatever its status', () => {
    expect(asked(GET, answer(503))).toEqual(NO);
    expect(asked(GRPC, answer(14, 'grpc'))).toEqual(NO);
  });

  test.each(['denied', 'rate-limited', 'timeout', 'cancelled', 'body-too-large', 'unknown-app'] as const)(
    '%s is final',
    (code) => {
      expect(asked(GET, fault(code))).toEqual(NO);
    },
  );

  test('both built-in retries can be switched off', () => {
    const builtIn = { undelivered: false, idempotent: false };
    expect(asked(GET, fault('draining'), { builtIn })).toEqual(NO);
    expect(asked(GET, fault('peer-broke'), { builtIn })).toEqual(NO);
  });
});

test('whether a call is idempotent, its method says, unless its route does', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
    expect(isIdempotent({ kind: 'http', method }, routePlan({}))).toBe(true);
  for (const method of ['POST', 'PATCH', 'LOCK'])
    expect(isIdempotent({ kind: 'http', method }, routePlan({}))).toBe(false);
  expect(isIdempotent(POST, routePlan({ idempotent: true }))).toBe(true);
  expect(isIdempotent(GRPC, routePlan({ idempotent: true }))).toBe(true);
  expect(isIdempotent(GET, routePlan({ idempotent: false }))).toBe(false);
  expect(isIdempotent({ kind: 'tunnel', method: 'GET' }, routePlan({ idempotent: true }))).toBe(false);
});

describe('with a policy', () => {
  const route = routePlan({ retry: retryPlan({ durationMs: 100 }) });

  test('who came too often comes again when it was told to, as far as the policy would wait so long', () => {
    const longer = routePlan({ retry: retryPlan({ durationMs: 10_000, jitter: 'full' }) });
    const limited = (retryAfterMs: number): Outcome => ({ kind: 'fault', code: 'rate-limited', retryAfterMs });
    expect(asked(POST, limited(7000), { route: longer })).toMatchObject({ by: 'policy', afterMs: 7000 });
    expect(asked(POST, limited(60_000), { route: longer })).toMatchObject({ by: 'policy', afterMs: 10_000 });
    const others = routePlan({ retry: retryPlan({ matching: matchingOf({ httpStatusCodes: '500-599' }) }) });
    expect(asked(POST, limited(7000), { route: others })).toEqual(NO);
  });

  test('every error is tried again, by whatever method, as in Dapr', () => {
    const wanted = { kind: 'again', by: 'policy', afterMs: 100, where: 'elsewhere' };
    expect(asked(POST, answer(500), { route })).toEqual(wanted);
    expect(asked(POST, answer(404), { route })).toEqual(wanted);
    expect(asked(GRPC, answer(5, 'grpc'), { route })).toEqual(wanted);
    expect(asked(POST, { kind: 'try-timeout' }, { route })).toEqual(wanted);
    expect(asked(POST, fault('peer-broke'), { route })).toEqual(wanted);
    expect(asked(POST, answer(200), { route })).toEqual(NO);
    expect(asked(GRPC, answer(0, 'grpc'), { route })).toEqual(NO);
  });

  test('only as often as it says', () => {
    expect(asked(GET, answer(500), { route, tried: { ...NEVER_TRIED, policy: 3 } })).toEqual(NO);
    const endless = routePlan({ retry: retryPlan({ maxRetries: Number.POSITIVE_INFINITY }) });
    expect(asked(GET, answer(500), { route: endless, tried: { ...NEVER_TRIED, policy: 9999 } }).kind).toBe('again');
  });

  test('only what its list means; a fault by the status that the caller would see', () => {
    const matching = matchingOf({ httpStatusCodes: '429,503', gRPCStatusCodes: '14' });
    const listed = routePlan({ retry: retryPlan({ matching }) });
    expect(asked(POST, answer(429), { route: listed }).kind).toBe('again');
    expect(asked(POST, answer(500), { route: listed })).toEqual(NO);
    expect(asked(POST, fault('peer-broke'), { route: listed })).toEqual(NO); // 502
    expect(asked(GRPC, fault('peer-broke'), { route: listed }).kind).toBe('again'); // 14
    expect(asked(POST, fault('no-endpoint'), { route: listed }).kind).toBe('again');
    expect(asked(GRPC, { kind: 'try-timeout' }, { route: listed })).toEqual(NO); // 4
  });

  test('who is refused by a sidecar is refused again, and not tried', () => {
    expect(asked(GET, fault('denied'), { route })).toEqual(NO);
    expect(asked(GET, fault('body-too-large'), { route })).toEqual(NO);
  });

  test('never against a route that says that twice is too often; what reached nobody goes on all the same', () => {
    const unsafe = routePlan({ retry: retryPlan(), idempotent: false });
    expect(asked(POST, answer(500), { route: unsafe })).toEqual(NO);
    expect(asked(GET, fault('peer-broke'), { route: unsafe })).toEqual(NO);
    expect(asked(POST, fault('draining'), { route: unsafe })).toMatchObject({ by: 'undelivered' });
    expect(asked(POST, fault('no-endpoint'), { route: unsafe })).toEqual(NO);
  });

  test('what nobody took is tried at once first, and by the policy after that', () => {
    const tried = { ...NEVER_TRIED, undelivered: 4 };
    expect(asked(POST, fault('peer-unreachable'), { route, tried })).toMatchObject({ by: 'policy', afterMs: 100 });
  });

  test('an app that says when to come back is heard, up to the longest pause', () => {
    const retry = retryPlan({ backoff: 'exponential', maxIntervalMs: 4000 });
    expect(pauseMs(retry, 1, half, 3000)).toBe(3000);
    expect(pauseMs(retry, 1, half, 90_000)).toBe(4000);
  });
});

describe('pauses', () => {
  const anyRetry = fc.record({
    backoff: fc.constantFrom('constant' as const, 'exponential' as const),
    jitter: fc.constantFrom('full' as const, 'none' as const),
    durationMs: fc.integer({ min: 1, max: 1e6 }),
    maxIntervalMs: fc.integer({ min: 1, max: 1e6 }),
  });

  test('are never longer than is written, and with full jitter anywhere up to that', () => {
    fc.assert(
      fc.property(
        anyRetry,
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (written, number, drawn) => {
          const retry = retryPlan(written);
          const capMs = written.backoff === 'constant' ? written.durationMs : written.maxIntervalMs;
          const longest = pauseMs({ ...retry, jitter: 'none' }, number, () => drawn);
          expect(longest).toBeLessThanOrEqual(capMs);
          const paused = pauseMs(retry, number, () => drawn);
          expect(paused).toBeCloseTo(written.jitter === 'full' ? longest * drawn : longest, 6);
        },
      ),
      runs(1000),
    );
  });

  test('grow up to the longest, when they are exponential', () => {
    const retry = retryPlan({ backoff: 'exponential', maxIntervalMs: 2000 });
    expect([1, 2, 3, 4, 5].map((number) => pauseMs(retry, number, half))).toEqual([500, 750, 1125, 1687.5, 2000]);
  });
});

test("a call's deadline is the caller's or the plan's, whichever is sooner", () => {
  expect(deadlineOf(routePlan({}), 100, undefined)).toBe(undefined);
  expect(deadlineOf(routePlan({}), 100, 500)).toBe(500);
  expect(deadlineOf(routePlan({ totalTimeoutMs: 50 }), 100, 500)).toBe(150);
  expect(deadlineOf(routePlan({ totalTimeoutMs: 5000 }), 100, 500)).toBe(500);
  expect(deadlineOf(routePlan({ totalTimeoutMs: 5000 }), 100, undefined)).toBe(5100);
});

test('a call is hedged where a route asks for it, if it is idempotent, and not beyond what is allowed', () => {
  const route = routePlan({ hedging: { delayMs: 50, maxExtra: 1 } });
  expect(hedgeAfterMs(route, GET, 0)).toBe(50);
  expect(hedgeAfterMs(route, GET, 1)).toBe(undefined);
  expect(hedgeAfterMs(route, POST, 0)).toBe(undefined);
  expect(hedgeAfterMs(routePlan({}), GET, 0)).toBe(undefined);
});
