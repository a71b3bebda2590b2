// That what is armed lets the load through, denies what it is to deny, and leaves nothing of resilience out.
import { expect, test } from 'vitest';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { compileAccess } from '../../policy/access/compile.ts';
import { decide } from '../../policy/access/decide.ts';
import { call, identity } from '../../policy/access/testing/policies.ts';
import { compileOutbound } from '../../policy/resiliency/compile.ts';
import { ARMED_ROUTE, armedResources, DENIED } from './armed.ts';

const [client, server] = [identity('client.default'), identity('server.default')];

test.each([
  ['http-armed', 'POST /bytes/1024', `${DENIED.method} ${DENIED.path}`],
  ['grpc-armed', 'GRPC /bench.Echo/Unary', `GRPC ${DENIED.grpcPath}`],
] as const)('%s: a hundred rules allow %s and deny %s', (shape, measured, denied) => {
  const written = armedResources(shape, 'default').filter(({ kind }) => kind === 'AccessPolicy');
  const policies = written.map(({ namespace, name, spec }) => ({
    ...{ namespace, name },
    spec: must(readAccessPolicy(JSON.parse(spec.toString()))),
  }));
  expect(policies.flatMap(({ spec }) => spec.rules)).toHaveLength(100);
  const rules = compileAccess({ own: server, policies, defaults: { installation: 'allow' } });
  expect(decide(rules, call(client, measured))).toMatchObject({ kind: 'allow', by: { kind: 'rule' } });
  expect(decide(rules, call(client, denied))).toMatchObject({ kind: 'deny', by: { kind: 'rule' } });
});

test.each([
  ['http-armed', 'http', '/bytes/1024'],
  ['grpc-armed', 'grpc', '/bench.Echo/Unary'],
] as const)('%s: calls go by timeouts, retries, a breaker and consistent hashing', (shape, kind, path) => {
  const [written] = armedResources(shape, 'default').filter((resource) => resource.kind === 'Resiliency');
  const spec = must(readResiliency(JSON.parse(String(written?.spec))));
  const { planFor, problems } = compileOutbound(client, [{ namespace: 'default', name: 'armed', createdMs: 0, spec }]);
  expect(problems).toEqual([]);
  const { balancing, routes, limit } = planFor(server);
  expect(limit).toMatchObject({ maxInFlight: 1000 });
  expect(spec.inbound).toMatchObject({ limits: { maxInFlight: 1000 }, rateLimits: [{ requests: 1_000_000 }] });
  expect(balancing).toMatchObject({ algorithm: 'consistent-hash', hashHeader: 'x-request-id' });
  expect(routes.of({ kind, method: 'POST', path })).toMatchObject({
    name: ARMED_ROUTE,
    tryTimeoutMs: 10_000,
    totalTimeoutMs: 30_000,
    retry: { maxRetries: 3 },
    breaker: { ratio: { percent: 50 } },
    idempotent: true,
    hedging: { delayMs: 10_000 },
  });
});
