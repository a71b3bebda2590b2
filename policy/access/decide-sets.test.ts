// The decision table, for several policies at once: precedence, audit, the fence, and what cannot be read.
import { describe, expect, test } from 'vitest';
import { compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { call, identity, policy } from './testing/policies.ts';
import { everybody, own, rule, table } from './testing/table.ts';

describe('precedence', () => {
  const first = policy(
    {
      default: 'allow',
      rules: [rule('wide', { from: everybody }), rule('narrow', { from: [{ app: 'web', namespace: 'front' }] })],
    },
    'a',
  );
  const second = policy({ rules: [rule('no-delete', { action: 'deny', to: [{ methods: ['DELETE'] }] })] }, 'b');
  const third = policy(
    {
      rules: [
        rule('not-me', { action: 'deny', from: [{ app: 'evil', namespace: '*' }] }),
        rule('also', { from: everybody }),
      ],
    },
    'c',
  );
  table({ policies: [third, second, first] }, [
    ['web.front', 'GET /', 'allow by shop/a/narrow'],
    ['app.back', 'GET /', 'allow by shop/a/wide'],
    ['web.front', 'DELETE /', 'deny by shop/b/no-delete'],
    ['evil.back', 'GET /', 'deny by shop/c/not-me'],
    ['evil.back', 'DELETE /', 'deny by shop/b/no-delete'],
    ['web.front@other.example', 'GET /', 'deny by default of shop/b'],
  ]);
  describe('nobody says deny by default', () => {
    table({ policies: [first, policy({ default: 'allow' }, 'd')] }, [
      ['web.front@other.example', 'GET /', 'allow by default of shop/a'],
    ]);
  });
  describe('a policy without rules closes', () => {
    table({ policies: [policy({}, 'closed')], defaults: { installation: 'allow', namespace: 'allow' } }, [
      ['web.shop', 'GET /', 'deny by default of shop/closed'],
    ]);
  });
});

describe('audit', () => {
  const audit = policy({ mode: 'audit', rules: [rule('web', { from: [{ app: 'web', namespace: 'front' }] })] }, 'next');
  const more = policy({ mode: 'audit', rules: [rule('job', { from: [{ app: 'job' }] })] }, 'other');
  describe('alone', () => {
    table({ policies: [audit] }, [
      ['web.front', 'GET /', 'allow by default of the installation'],
      ['app.front', 'GET /', 'allow by default of the installation, audit: default of shop/next'],
    ]);
  });
  describe('several form one set', () => {
    table({ policies: [audit, more], defaults: { installation: 'deny' } }, [
      ['web.front', 'GET /', 'deny by default of the installation'],
      ['job.shop', 'GET /', 'deny by default of the installation'],
      ['app.front', 'GET /', 'deny by default of the installation, audit: default of shop/next'],
    ]);
  });
  describe('beside what is enforced', () => {
    const enforced = policy({ rules: [rule('all', { from: everybody })] });
    const noDelete = policy(
      { mode: 'audit', default: 'allow', rules: [rule('no', { action: 'deny', to: [{ methods: ['DELETE'] }] })] },
      'd',
    );
    table({ policies: [enforced, noDelete] }, [
      ['web.front', 'GET /', 'allow by shop/orders/all'],
      ['web.front', 'DELETE /', 'allow by shop/orders/all, audit: shop/d/no'],
    ]);
    table({ policies: [enforced, noDelete], fence: { callableFrom: [] } }, [
      ['web.front', 'DELETE /', 'deny by callableFrom of namespace shop'],
    ]);
  });
});

describe('the fence', () => {
  const policies = [policy({ rules: [rule('all', { from: everybody }), rule('any', { to: [{ paths: ['/**'] }] })] })];
  describe('with callableFrom', () => {
    const callableFrom = [
      { namespace: 'front' },
      { namespace: 'team-*', app: 'api' },
      { namespace: 'bank', app: 'web', trustDomain: 'other.example' },
    ];
    table({ policies, fence: { callableFrom } }, [
      ['web.front', 'POST /', 'allow by shop/orders/any'],
      ['api.team-a', 'POST /', 'allow by shop/orders/any'],
      ['web.team-a', 'POST /', 'deny by callableFrom of namespace shop'],
      ['web.back', 'GRPC /shop.Orders/Get', 'deny by callableFrom of namespace shop'],
      ['web.shop', 'TUNNEL /', 'allow by shop/orders/any'],
      ['web.bank@other.example', 'GET /', 'allow by shop/orders/any'],
      ['web.bank', 'GET /', 'deny by callableFrom of namespace shop'],
      ['web.front@other.example', 'GET /', 'deny by callableFrom of namespace shop'],
      ['web.shop@other.example', 'GET /', 'deny by callableFrom of namespace shop'],
    ]);
  });
  describe('closed', () => {
    table({ policies, fence: { callableFrom: [] } }, [
      ['web.front', 'GET /', 'deny by callableFrom of namespace shop'],
      ['web.shop', 'GET /', 'allow by shop/orders/any'],
    ]);
  });
  describe("by the caller's own namespace", () => {
    table({ policies, fence: { barred: ['front', 'shop'] } }, [
      ['web.front', 'GET /', "deny by mayCall of the caller's namespace"],
      ['web.back', 'GET /', 'allow by shop/orders/any'],
      ['web.front@other.example', 'GET /', 'allow by shop/orders/any'],
      ['web.shop', 'GET /', 'allow by shop/orders/any'],
    ]);
  });
  describe('without a policy', () => {
    table({ fence: { callableFrom: [{ namespace: 'front' }] } }, [
      ['web.front', 'GET /', 'allow by default of the installation'],
      ['web.back', 'GET /', 'deny by callableFrom of namespace shop'],
    ]);
  });
});

describe('a policy that cannot be read', () => {
  const open = policy({ rules: [rule('all', { from: everybody })] });
  const broken = { namespace: 'shop', name: 'new', mode: 'enforce', reason: 'its rule x: no' } as const;
  table({ policies: [open, broken] }, [['web.shop', 'GET /', 'deny by shop/new']]);
  table({ policies: [open, { ...broken, mode: 'audit' }] }, [
    ['web.shop', 'GET /', 'allow by shop/orders/all, audit: shop/new'],
  ]);
  // The API server cannot see that no path is ever spelled like that.
  const spelling = { ...open.spec.rules[0], name: 'x', to: [{ paths: ['/%61dmin'] }], action: 'deny' as const };
  const misspelt = { ...open, name: 'late', spec: { ...open.spec, rules: [spelling] } };
  table({ policies: [open, misspelt] }, [['web.shop', 'GET /', 'deny by shop/late']]);
  table({ policies: [open, { ...broken, namespace: 'front' }] }, [['web.shop', 'GET /', 'allow by shop/orders/all']]);
});

test('a decision about a plain call makes no new verdict', () => {
  const rules = compileAccess({
    own,
    policies: [policy({ rules: [rule('all', { from: everybody })] })],
    defaults: { installation: 'allow' },
  });
  const asked = call(identity('web.front'), 'GET /');
  expect(decide(rules, asked)).toBe(decide(rules, asked));
});

test('names that JavaScript knows by itself are names like any other', () => {
  const policies = [policy({ rules: [rule('x', { to: [{ paths: ['/__proto__', '/constructor/{id}'] }] })] })];
  const rules = compileAccess({ own, policies, defaults: { installation: 'deny' } });
  const outcome = (path: string) => decide(rules, call(identity('constructor.front'), `GET ${path}`)).kind;
  expect(['/__proto__', '/constructor/x', '/toString', '/constructor'].map(outcome)).toEqual([
    'allow',
    'allow',
    'deny',
    'deny',
  ]);
});

test('a path of thousands of segments is judged like any other', () => {
  const policies = [
    policy({
      rules: [
        rule('files', { to: [{ paths: ['/a/**'] }] }),
        rule('no', { action: 'deny', to: [{ paths: ['/a/{x}/b/**'] }] }),
      ],
    }),
  ];
  const rules = compileAccess({ own, policies, defaults: { installation: 'deny' } });
  const outcome = (path: string) => decide(rules, call(identity('web.front'), `GET ${path}`)).by.name;
  expect(outcome(`/a${'/c'.repeat(20_000)}`)).toBe('shop/orders/files');
  expect(outcome(`/a${'/b'.repeat(20_000)}`)).toBe('shop/orders/no');
});
