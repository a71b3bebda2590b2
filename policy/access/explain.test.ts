// What is said of a call: by which rule it was decided, and what was wrong with those that came close.
import { expect, test } from 'vitest';
import type { AccessSources } from './compile.ts';
import { explain } from './explain.ts';
import { call, identity, policy } from './testing/policies.ts';
import { everybody, own, rule } from './testing/table.ts';

const sources: AccessSources = {
  own,
  defaults: { installation: 'allow' },
  policies: [
    policy({
      rules: [
        rule('web-reads', {
          from: [{ app: 'web', namespace: 'front' }],
          to: [{ methods: ['GET'], paths: ['/orders/{id}'] }],
        }),
        rule('jobs', { from: [{ app: 'job-*' }], to: [{ paths: ['/orders/**'] }] }),
        rule('web-calls', { from: [{ app: 'web', namespace: 'front' }], to: [{ grpc: ['shop.Orders/Get'] }] }),
        rule('no-delete', { action: 'deny', from: everybody, to: [{ methods: ['DELETE'] }] }),
      ],
    }),
    policy(
      {
        mode: 'audit',
        rules: [rule('later', { from: [{ app: 'web', namespace: 'front' }], to: [{ methods: ['GET'] }] })],
      },
      'next',
    ),
    policy({ apps: ['stock'], rules: [rule('all', { from: everybody })] }, 'stock'),
  ],
};

/** The verdict, and the rules that are told of with why they do not match. */
function told(caller: string, text: string) {
  const { verdict, rules } = explain(sources, call(identity(caller), text));
  return [
    `${verdict.kind} by ${verdict.by.name}`,
    ...rules.map(({ name, matches, miss }) => `${name}: ${matches ? 'matches' : `${miss?.part}, ${miss?.reason}`}`),
  ];
}

test('a rule that matches, and those that miss by one thing', () => {
  expect(told('web.front', 'GET /orders/7')).toEqual([
    'allow by shop/orders/web-reads',
    'shop/next/later: matches',
    'shop/orders/jobs: caller, it is about job-*.shop, and the caller is web.front',
    'shop/orders/no-delete: method, it is about DELETE, and the method is GET',
    'shop/orders/web-reads: matches',
  ]);
});

test.each([
  [
    'GET /orders/7/lines',
    'path, it is about /orders/{id}, and the path is /orders/7/lines; a path is that very path, and only one that ends in /** is all below it, too',
  ],
  [
    'GET /orders/7/',
    'path, it is about /orders/{id}, and the path is /orders/7/; only rules that deny overlook letter case, a trailing slash and what follows a semicolon',
  ],
  [
    'GET /Orders/7',
    'path, it is about /orders/{id}, and the path is /Orders/7; only rules that deny overlook letter case, a trailing slash and what follows a semicolon',
  ],
  [
    'GET /orders/7%2F8',
    'path, it is about /orders/{id}, and the path is /orders/7%2F8; a server may read that as /orders/7/8, and it has to match in each reading, unless the policy says encodedSlash: literal',
  ],
  ['GET /other', 'path, it is about /orders/{id}, and the path is /other'],
  ['POST /orders/7', 'method, it is about GET, and the method is POST'],
])('why %s is not what web-reads allows', (text, reason) => {
  expect(told('web.front', text)).toContain(`shop/orders/web-reads: ${reason}`);
});

test('gRPC methods and callers of other trust domains are named', () => {
  expect(told('web.front', 'GRPC /shop.Orders/Put')).toContain(
    'shop/orders/web-calls: grpc, it is about shop.Orders/Get, and the method is shop.Orders/Put',
  );
  expect(told('web.front@other.example', 'GRPC /shop.Orders/Get')).toContain(
    'shop/orders/web-calls: caller, it is about web.front, and the caller is web.front of other.example',
  );
});

test('a long list is cut', () => {
  const paths = ['/a', '/b', '/c', '/d', '/e', '/f', '/g'];
  const long = { ...sources, policies: [policy({ rules: [rule('many', { to: [{ paths }] })] })] };
  expect(explain(long, call(identity('web.front'), 'GET /x')).rules[0]?.miss?.reason).toBe(
    'it is about /a, /b, /c, /d, /e and 2 more, and the path is /x',
  );
});

test('a rule that decides together with another is said to match', () => {
  const policies = [
    policy({ rules: [rule('one', { to: [{ paths: ['/{x}'] }] }), rule('two', { to: [{ paths: ['/a/{x}'] }] })] }),
  ];
  const { verdict, rules } = explain({ ...sources, policies }, call(identity('web.front'), 'GET /a%2Fb'));
  expect(verdict).toEqual({ kind: 'allow', by: { kind: 'rule', name: 'shop/orders/one' } });
  expect(rules.find(({ name }) => name === 'shop/orders/one')?.matches).toBe(true);
});
