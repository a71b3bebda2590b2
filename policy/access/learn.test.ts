// What is proposed from the calls that were seen: it allows them, it can be applied, and it allows little else.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { createLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { type AccessCall, judgedMethod } from './call.ts';
import { compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { DECISION_MESSAGE, decisionFields, type JudgedCall, readDecisionLine } from './decision-line.ts';
import { type Learned, learn } from './learn.ts';
import { anyCall, call, identity } from './testing/policies.ts';

const orders = identity('orders.shop');

function learned(...calls: readonly (readonly [caller: string, call: string])[]): Learned {
  return learn(
    calls.map(([caller, text]) => seen(call(identity(caller), text))),
    'cluster.local',
  );
}

function seen(made: AccessCall): JudgedCall {
  return { target: orders, caller: made.caller, call: made };
}

function rulesOf(calls: readonly JudgedCall[]) {
  const policies = learn(calls, orders.trustDomain).policies.map(({ namespace, name, spec }) => ({
    namespace,
    name,
    spec: must(readAccessPolicy(spec)),
  }));
  return compileAccess({ own: orders, policies, defaults: { installation: 'deny' } });
}

describe('is proposed', () => {
  test('a rule for each caller, with what it did', () => {
    const { policies, left } = learned(
      ['web.front', 'GET /orders'],
      ['web.front', 'HEAD /orders'],
      ['web.front', 'POST /orders'],
      ['web.front', 'GET /orders/7'],
      ['web.front', 'GET /orders/8'],
      ['job.shop', 'GRPC /shop.Orders/Get'],
      ['job.shop', 'TUNNEL /chat'],
      ['web.front@other.example', 'GET /'],
    );
    expect(left).toEqual([]);
    expect(policies).toEqual([
      {
        namespace: 'shop',
        name: 'orders-learned',
        spec: {
          apps: ['orders'],
          rules: [
            {
              name: 'web-front',
              action: 'allow',
              from: [{ app: 'web', namespace: 'front' }],
              to: [
                { methods: ['GET'], paths: ['/orders/{id}'] },
                { methods: ['GET', 'POST'], paths: ['/orders'] },
              ],
            },
            {
              name: 'job-shop',
              action: 'allow',
              from: [{ app: 'job' }],
              to: [{ methods: ['GET'], paths: ['/chat'] }, { grpc: ['shop.Orders/Get'] }],
            },
            {
              name: 'web-front-2',
              action: 'allow',
              from: [{ app: 'web', namespace: 'front', trustDomain: 'other.example' }],
              to: [{ methods: ['GET'], paths: ['/'] }],
            },
          ],
        },
      },
    ]);
  });

  test('a template only where ids were seen to differ', () => {
    const paths = (...texts: readonly string[]) =>
      learned(...texts.map((text) => ['web.shop', `GET ${text}`] as const)).policies[0]?.spec.rules[0]?.to?.[0]?.paths;
    expect(paths('/v1/orders/7')).toEqual(['/v1/orders/7']);
    expect(paths('/2/orders/7', '/2/orders/8')).toEqual(['/2/orders/{id}']);
    expect(paths('/orders/7/lines/1', '/orders/8/lines/2')).toEqual(['/orders/{id}/lines/{id2}']);
    expect(paths('/orders/open', '/orders/done')).toEqual(['/orders/done', '/orders/open']);
    expect(paths('/a/0b7e4c0e-0000-4000-8000-000000000001', '/a/0B7E4C0E-0000-4000-8000-000000000002')).toEqual([
      '/a/{id}',
    ]);
    // No template can have a star in it.
    expect(paths('/a*b/c')).toEqual(['/{id}/c']);
    expect(paths('/files/a%2Fb')).toEqual(['/files/a%2Fb', '/files/a/b']);
  });

  test('nothing that a policy cannot hold; what is left out is said', () => {
    const { policies, left } = learned(
      ['web.shop', `GET /${'x'.repeat(300)}`],
      ['web.shop', 'X2 /'],
      ['web.shop', 'GET /'],
    );
    expect(policies[0]?.spec.rules[0]?.to).toEqual([{ methods: ['GET'], paths: ['/'] }]);
    expect(left).toEqual([
      expect.stringMatching(/^web\.shop called \/x+…, which is too long for a rule$/),
      'web.shop called with the method X2, which a rule cannot name',
    ]);
  });

  test('as many rules and policies as hold it', () => {
    const many = Array.from({ length: 30_000 }, (_, i) => seen(call(identity(`app-${i % 130}`), `GET /a${i}b/x`)));
    const { policies } = learn(many, 'cluster.local');
    expect(policies.length).toBeGreaterThan(1);
    const rules = rulesOf(many);
    expect(many.filter((one) => decide(rules, one.call).kind === 'deny')).toEqual([]);
  });
});

test('whatever was seen is allowed, and what no such caller did is not', () => {
  fc.assert(
    fc.property(fc.array(anyCall, { maxLength: 20 }), anyCall, (calls, other) => {
      const rules = rulesOf(calls.map(seen));
      for (const one of calls) expect(decide(rules, one).kind).toBe('allow');
      const isSeen = calls.some(
        (one) =>
          one.caller.app === other.caller.app &&
          one.caller.namespace === other.caller.namespace &&
          one.caller.trustDomain === other.caller.trustDomain &&
          (one.kind === 'grpc') === (other.kind === 'grpc') &&
          (judgedMethod(one) === judgedMethod(other) || judgedMethod(other) === 'HEAD'),
      );
      if (!isSeen) expect(decide(rules, other).kind).toBe('deny');
    }),
    { numRuns: 500 },
  );
});

describe('the line of a decision', () => {
  const verdict = { kind: 'deny', by: { kind: 'rule', name: 'shop/orders/no' } } as const;

  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyCall, (made) => {
        const lines: string[] = [];
        const log = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line), now: () => 0 });
        log.info(DECISION_MESSAGE, decisionFields(orders, made, verdict));
        const { app, namespace } = orders;
        expect(lines.map((line) => readDecisionLine(line))).toEqual([
          { ok: true, value: { target: { app, namespace }, caller: made.caller, call: made } },
        ]);
      }),
    );
  });

  test('is told from other lines, and one that cannot be read is a mistake', () => {
    const line = {
      message: DECISION_MESSAGE,
      ...decisionFields(orders, call(identity('web.front'), 'GET /'), verdict),
    };
    const read = (written: object) => readDecisionLine(JSON.stringify(written));
    expect(readDecisionLine('12:00:00 INFO listening')).toEqual({ ok: true, value: undefined });
    expect(readDecisionLine(`{"message":"${DECISION_MESSAGE}`)).toEqual({ ok: true, value: undefined });
    expect(read({ message: 'of others', note: DECISION_MESSAGE })).toEqual({ ok: true, value: undefined });
    expect(read({ ...line, caller: 'web' })).toMatchObject({ ok: false, error: expect.stringContaining('SPIFFE') });
    expect(read({ ...line, path: '/%' }).ok).toBe(false);
    expect(read({ ...line, target: 'a.b.c' }).ok).toBe(false);
    expect(read({ ...line, verdict: 'maybe' })).toEqual({
      ok: false,
      error: 'verdict: "maybe" is none of allow, deny',
    });
  });
});
