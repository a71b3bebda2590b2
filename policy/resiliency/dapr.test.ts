// Files that were written for Dapr are read as they are, and mean the same.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { runs } from '../../kit/testing/runs.ts';
import { compileOutbound } from './compile.ts';
import { readDaprResiliency } from './dapr.ts';
import { target } from './testing/plans.ts';

const WRITTEN = {
  policies: {
    timeouts: { general: '5s', bare: '250', fine: '1500us', DefaultTimeoutPolicy: '7s' },
    retries: {
      important: { policy: 'constant', duration: '5s', maxRetries: 30 },
      often: {
        policy: 'Exponential',
        maxInterval: '15s',
        maxRetries: -5,
        matching: { httpStatusCodes: '429, 500-599' },
      },
      DaprBuiltInServiceRetries: { policy: 'constant', duration: '1s', maxRetries: 5 },
    },
    circuitBreakers: {
      simple: { maxRequests: 0, interval: '', timeout: '30s', trip: 'consecutiveFailures >= 5' },
    },
  },
  targets: {
    apps: {
      orders: { timeout: 'general', retry: 'important', circuitBreaker: 'simple', circuitBreakerCacheSize: 0 },
      stock: { timeout: 'bare', retry: 'often' },
      fine: { timeout: 'fine' },
    },
    actors: { myActor: { timeout: 'general' } },
    components: { store: { outbound: { retry: 'often' } } },
  },
};

const { spec, ignored } = must(readDaprResiliency(WRITTEN, ['web']));
const outbound = compileOutbound(target('web'), [{ namespace: 'front', name: 'dapr', createdMs: 0, spec }]);
const routeTo = (app: string) => outbound.planFor(target(app)).routes.of({ kind: 'http', method: 'POST', path: '/x' });

test('timeouts, retries and breakers mean what they mean there', () => {
  expect(routeTo('orders')).toMatchObject({
    tryTimeoutMs: 5000,
    retry: { backoff: 'constant', durationMs: 5000, maxRetries: 30, jitter: 'none' },
    breaker: { maxRequests: 1, intervalMs: 0, openMs: 30_000, counting: 'every-error', operationsMax: 100 },
  });
  expect(routeTo('stock')).toMatchObject({
    tryTimeoutMs: 250,
    retry: { backoff: 'exponential', maxIntervalMs: 15_000 },
  });
  expect(routeTo('stock').retry?.maxRetries).toBe(Number.POSITIVE_INFINITY);
  expect(routeTo('fine').tryTimeoutMs).toBe(1.5);
  expect(routeTo('another').tryTimeoutMs).toBe(7000);
});

test('a status of the list is tried again and another is not', () => {
  const { matching } = routeTo('stock').retry ?? {};
  expect([429, 500, 599, 404].map((status) => matching?.http.has(status))).toEqual([true, true, true, false]);
});

test('its scopes are scopes', () => {
  expect(spec.scopes).toEqual(['web']);
  expect(must(readDaprResiliency(WRITTEN)).spec.scopes).toBe(undefined);
});

test('what is not about calls between apps is named and left aside', () => {
  expect(ignored).toEqual([
    'targets.actors is left aside: calls between apps alone are made here',
    'targets.components is left aside: calls between apps alone are made here',
    expect.stringContaining('policies.retries.DaprBuiltInServiceRetries is left aside'),
  ]);
});

test.each([
  [
    'a name that stands for nothing',
    { targets: { apps: { orders: { retry: 'nope' } } } },
    'targets.apps[orders]: retry names what',
  ],
  ['a duration that is none', { policies: { timeouts: { a: 'soon' } } }, '"soon"'],
  [
    'a trip that says nothing',
    { policies: { circuitBreakers: { a: { trip: 'requests + 1' } } } },
    'nobody can work that out',
  ],
])('%s is a mistake here, too', (_says, written, reason) => {
  expect(readDaprResiliency(written)).toEqual({ ok: false, error: [expect.stringContaining(reason)] });
});

test('what is no object where there should be one is a mistake', () => {
  expect(readDaprResiliency({ policies: 3, targets: [] })).toEqual({
    ok: false,
    error: ['spec.policies: this is an object', 'spec.targets: this is an object'],
  });
});

test('whatever stands there, it is read or refused', () => {
  const anyPart = fc.record({ policies: anyKinds(), targets: anyKinds() });
  fc.assert(
    fc.property(fc.oneof(anyPart, fc.anything()), (written) => {
      expect(typeof readDaprResiliency(written).ok).toBe('boolean');
    }),
    runs(300),
  );
});

function anyKinds() {
  const kinds = fc.constantFrom('timeouts', 'retries', 'circuitBreakers', 'apps', 'actors');
  const fields = fc.constantFrom('duration', 'maxRetries', 'matching', 'trip', 'timeout', 'interval', 'retry');
  return fc.dictionary(
    kinds,
    fc.dictionary(fc.string(), fc.oneof(fc.anything(), fc.dictionary(fields, fc.anything()))),
  );
}
