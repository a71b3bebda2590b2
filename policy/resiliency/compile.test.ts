// From what people write to what holds for a call: which object, target, route and policy.
import { describe, expect, test } from 'vitest';
import { readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { compileOutbound } from './compile.ts';
import { BUILT_IN, BUILT_IN_ROUTE, type RoutedCall, type TargetPlan } from './plan.ts';
import { conflictMessage, settle } from './settle.ts';
import { resiliency, target } from './testing/plans.ts';

const POLICIES = {
  timeouts: { short: '1s', long: '1m' },
  retries: {
    thrice: { maxRetries: 3, duration: '100ms' },
    spread: { policy: 'exponential', maxInterval: '2s', matching: { httpStatusCodes: '503' } },
  },
  circuitBreakers: { usual: {}, ours: { consecutiveFailures: 2, failureRatio: { percent: 50 } } },
};

function planOf(apps: Record<string, object>, app = 'orders', namespace = 'front'): TargetPlan {
  const outbound = compileOutbound(target('web'), [resiliency('a', { policies: POLICIES, targets: { apps } })]);
  expect(outbound.problems).toEqual([]);
  return outbound.planFor(target(app, namespace));
}

const call = (method: string, path: string, kind: RoutedCall['kind'] = 'http'): RoutedCall => ({ kind, method, path });
const anyCall = call('GET', '/');

test('without an object, what is built in holds', () => {
  const plan = compileOutbound(target('web'), []).planFor(target('orders'));
  expect({ ...plan, routes: undefined }).toEqual({ ...BUILT_IN, routes: undefined });
  expect(plan.routes.of(anyCall)).toBe(BUILT_IN_ROUTE);
});

test("what is built in is what the schema's defaults say", () => {
  const written = { balancing: {}, ejection: {}, retryBudget: {}, builtInRetries: {} };
  const plan = planOf({ orders: written });
  expect({ ...plan, routes: undefined }).toEqual({ ...BUILT_IN, routes: undefined });
});

describe('of several targets the most specific counts', () => {
  const apps = Object.fromEntries(
    ['*.*', 'order*.*', '*.shop', 'orders.*', 'orders.shop', 'web*', 'orders'].map((name, number) => [
      name,
      { retryBudget: { percent: number } },
    ]),
  );
  test.each([
    ['orders', 'shop', 'orders.shop'],
    ['orders', 'front', 'orders'],
    ['orders', 'back', 'orders.*'],
    ['orderly', 'back', 'order*.*'],
    ['stock', 'shop', '*.shop'],
    ['stock', 'back', '*.*'],
    ['webby', 'front', 'web*'],
    ['webby', 'back', '*.*'],
  ])('%s in %s goes by %s', (app, namespace, name) => {
    expect(planOf(apps, app, namespace).budget.percent).toBe(Object.keys(apps).indexOf(name));
  });
});

test('names stand for policies, and a route has what it leaves out from its target', () => {
  const plan = planOf({
    orders: {
      timeout: 'short',
      retry: 'thrice',
      circuitBreaker: 'usual',
      routes: [
        { name: 'pay', methods: ['POST'], paths: ['/pay'], retry: 'spread', totalTimeout: 'long', idempotent: true },
      ],
    },
  });
  expect(plan.routes.of(anyCall)).toMatchObject({ name: undefined, tryTimeoutMs: 1000, totalTimeoutMs: undefined });
  expect(plan.routes.of(anyCall).retry).toMatchObject({
    backoff: 'constant',
    durationMs: 100,
    maxRetries: 3,
    jitter: 'none',
  });
  const pay = plan.routes.of(call('POST', '/pay'));
  expect(pay).toMatchObject({ name: 'pay', tryTimeoutMs: 1000, totalTimeoutMs: 60_000, idempotent: true });
  expect(pay.retry).toMatchObject({ backoff: 'exponential', maxIntervalMs: 2000, jitter: 'full' });
  expect(pay.retry?.maxRetries).toBe(Number.POSITIVE_INFINITY);
  expect(pay.breaker).toBeDefined();
});

describe('of several routes the most specific counts', () => {
  const routes = [
    { name: 'all', paths: ['/**'] },
    { name: 'posts', methods: ['POST'] },
    { name: 'order', paths: ['/orders/{id}'] },
    { name: 'first', paths: ['/orders/1'] },
    { name: 'below', paths: ['/orders/**'] },
    { name: 'gets', methods: ['GET'], paths: ['/orders/{id}'] },
    { name: 'any-grpc', grpc: ['*/*'] },
    { name: 'shop', grpc: ['shop.*/*'] },
    { name: 'exact', grpc: ['shop.Orders/Get'] },
  ];
  const plan = planOf({ orders: { routes } });
  test.each([
    ['GET', '/', 'http', 'all'],
    ['POST', '/', 'http', 'posts'],
    ['PUT', '/orders/7', 'http', 'order'],
    ['GET', '/orders/7', 'http', 'gets'],
    ['HEAD', '/orders/7', 'http', 'gets'],
    ['GET', '/orders/7', 'tunnel', 'gets'],
    ['PUT', '/orders/1', 'http', 'first'],
    ['PUT', '/orders/1/lines', 'http', 'below'],
    ['POST', '/a.B/C', 'grpc', 'any-grpc'],
    ['POST', '/shop.Orders/Put', 'grpc', 'shop'],
    ['POST', '/shop.Orders/Get', 'grpc', 'exact'],
  ] as const)('%s %s (%s) is on %s', (method, path, kind, name) => {
    expect(plan.routes.of(call(method, path, kind)).name).toBe(name);
  });

  test('a call on none goes by its target', () => {
    const few = planOf({ orders: { routes: [{ name: 'a', methods: ['GET'], paths: ['/a'] }] } });
    expect(few.routes.of(call('POST', '/a')).name).toBe(undefined);
    expect(few.routes.of(call('POST', '/x.Y/Z', 'grpc')).name).toBe(undefined);
  });
});

test('a breaker without a condition, or with a trip, counts as Dapr does; ours counts what servers do wrong', () => {
  const plan = planOf({
    orders: { circuitBreaker: 'usual', circuitBreakerCacheSize: 7 },
    stock: { circuitBreaker: 'ours' },
  });
  const usual = plan.routes.of(anyCall).breaker;
  expect(usual).toMatchObject({ counting: 'every-error', openMs: 60_000, maxRequests: 1, operationsMax: 7 });
  const counts = { requests: 9, totalSuccesses: 0, totalFailures: 9, consecutiveSuccesses: 0, consecutiveFailures: 5 };
  expect(usual?.trip?.(counts)).toBe(false);
  expect(usual?.trip?.({ ...counts, consecutiveFailures: 6 })).toBe(true);
  const ours = planOf({ orders: { circuitBreaker: 'ours' } }).routes.of(anyCall).breaker;
  expect(ours).toMatchObject({
    counting: 'servers-failures',
    ratio: { percent: 50, windowMs: 10_000, minRequests: 20 },
  });
  expect(ours?.trip?.({ ...counts, consecutiveFailures: 2 })).toBe(true);
});

describe('policies that hold by their names', () => {
  const named = {
    policies: {
      timeouts: { DefaultTimeoutPolicy: '3s', DefaultAppTimeoutPolicy: '2s' },
      retries: { DefaultRetryPolicy: { maxRetries: 1 } },
      circuitBreakers: { DefaultCircuitBreakerPolicy: {} },
    },
    targets: { apps: { stock: {} } },
  };
  const outbound = compileOutbound(target('web'), [resiliency('a', named)]);

  test('hold for apps that no target is about, the one for apps before the one for all', () => {
    const route = outbound.planFor(target('orders', 'shop')).routes.of(anyCall);
    expect(route).toMatchObject({ tryTimeoutMs: 2000, retry: { maxRetries: 1 }, breaker: { operationsMax: 100 } });
  });

  test('do not for an app that a target is about, whatever it leaves out; as in Dapr', () => {
    expect(outbound.planFor(target('stock')).routes.of(anyCall)).toEqual(BUILT_IN_ROUTE);
  });
});

describe('whose objects count', () => {
  const spec = { targets: { apps: { orders: { retryBudget: { percent: 50 } } } } };
  const percent = (object: ReturnType<typeof resiliency>) =>
    compileOutbound(target('web'), [object]).planFor(target('orders')).budget.percent;

  test("those of the caller's namespace, for the apps in their scopes", () => {
    expect(percent(resiliency('a', spec))).toBe(50);
    expect(percent(resiliency('a', { ...spec, scopes: ['web'] }))).toBe(50);
    expect(percent(resiliency('a', { ...spec, scopes: ['other'] }))).toBe(20);
    expect(percent({ ...resiliency('a', spec), namespace: 'shop' })).toBe(20);
  });

  test('of two that say the same thing the older; the other is put aside whole, and told why', () => {
    const old = resiliency('old', spec, 1);
    const fresh = resiliency('a-new', { targets: { apps: { orders: {}, stock: { retryBudget: { percent: 9 } } } } }, 2);
    const { accepted, conflicts } = settle([fresh, old]);
    expect(accepted).toEqual([old]);
    expect(conflicts).toMatchObject([{ loser: fresh, winner: old, about: 'targets.apps[orders]' }]);
    expect(conflicts.map(conflictMessage)[0]).toContain('front/old, which is older, says targets.apps[orders]');
    const outbound = compileOutbound(target('web'), [fresh, old]);
    expect(outbound.planFor(target('stock')).budget.percent).toBe(20);
  });

  test('two of one age go by their names', () => {
    expect(settle([resiliency('b', spec, 1), resiliency('a', spec, 1)]).accepted).toMatchObject([{ name: 'a' }]);
  });

  test.each([
    ['scopes that do not overlap', { ...spec, scopes: ['web'] }, { ...spec, scopes: ['api'] }, 0],
    ['scopes that overlap', { ...spec, scopes: ['web', 'x'] }, { ...spec, scopes: ['api', 'web'] }, 1],
    ['a name and a pattern', spec, { targets: { apps: { 'order*': {} } } }, 0],
    [
      'policies that are named alike',
      { policies: { timeouts: { a: '1s' } } },
      { policies: { timeouts: { a: '2s' } } },
      0,
    ],
    [
      'policies that hold by their names',
      { policies: { timeouts: { DefaultTimeoutPolicy: '1s' } } },
      { policies: { timeouts: { DefaultTimeoutPolicy: '2s' } } },
      1,
    ],
    ['what is inbound', { inbound: {} }, { inbound: {} }, 1],
  ])('%s', (_says, one, other, conflicts) => {
    expect(settle([resiliency('a', one, 1), resiliency('b', other, 2)]).conflicts).toHaveLength(conflicts);
  });
});

test('a target that cannot be read is as if it were not there, and is told', () => {
  const spec = must(
    readResiliency({
      policies: { circuitBreakers: { a: {} } },
      targets: { apps: { orders: { circuitBreaker: 'a' } } },
    }),
  );
  const newer = {
    ...spec,
    policies: {
      ...spec.policies,
      circuitBreakers: { a: { maxRequests: 1, interval: '0s', timeout: '1s', trip: 'moonPhase > 2' } },
    },
  };
  const outbound = compileOutbound(target('web'), [{ ...resiliency('a', {}), spec: newer }]);
  expect(outbound.problems).toEqual([
    expect.stringContaining('Resiliency front/a, targets.apps[orders]: "moonPhase > 2"'),
  ]);
  expect(outbound.planFor(target('orders')).routes.of(anyCall)).toEqual(BUILT_IN_ROUTE);
});
