// Policies are read as the schemas read them, without the schemas; what they refuse is not let through in a shape that opens.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAccessPolicy } from '../api/resources/access-policy.ts';
import { readNamespacePolicy } from '../api/resources/namespace-policy.ts';
import { BAD_EXAMPLES, GOOD_EXAMPLES, LATE_EXAMPLES } from '../api/resources/testing/examples.ts';
import { must } from '../kit/result.ts';
import { compileAccess } from './access/compile.ts';
import { decide } from './access/decide.ts';
import { readStoredPolicy } from './access/stored.ts';
import { anyPolicy, call, identity } from './access/testing/policies.ts';
import { readStoredFence } from './fence/stored.ts';

const stored = (spec: unknown) => readStoredPolicy({ namespace: 'shop', name: 'orders', spec });
const specsOf = (
  examples: readonly { readonly object: { readonly kind: string; readonly spec: object } }[],
  of: string,
) => examples.filter(({ object }) => object.kind === of).map(({ object }) => object.spec);

/** What only bounds a policy that somebody writes: how long, how many, and no two alike. It opens nothing. */
const BOUNDS =
  /Too big|at most|Duplicate value|no two|is not an app id|an app id has|a name has|a trust domain has|write an app id|write a namespace/;

describe('an AccessPolicy', () => {
  test.each(specsOf(GOOD_EXAMPLES, 'AccessPolicy'))(
    'that the API server takes is read as the schema reads it: %j',
    (spec) => {
      expect(stored(spec)).toEqual({ namespace: 'shop', name: 'orders', spec: must(readAccessPolicy(spec)) });
    },
  );

  test('whatever the schema takes', () => {
    fc.assert(
      fc.property(anyPolicy, ({ spec }) => {
        expect(stored(JSON.parse(JSON.stringify(spec)))).toEqual({ namespace: 'shop', name: 'orders', spec });
      }),
    );
  });

  const refused = [...specsOf(BAD_EXAMPLES, 'AccessPolicy'), ...specsOf(LATE_EXAMPLES, 'AccessPolicy')].filter(
    (spec) => {
      const read = readAccessPolicy(spec);
      return !read.ok && !read.error.some((mistake) => BOUNDS.test(mistake));
    },
  );

  test.each(refused)('that the schema refuses is unreadable, and closes: %j', (spec) => {
    const policy = stored(spec);
    expect(policy).toHaveProperty('reason');
    const rules = compileAccess({
      own: identity('orders.shop'),
      policies: [policy],
      defaults: { installation: 'allow' },
    });
    expect(decide(rules, call(identity('web.shop'), 'GET /')).kind).toBe(
      'mode' in spec && spec.mode === 'audit' ? 'allow' : 'deny',
    );
  });

  test('with a word of a later version is unreadable, wherever it stands', () => {
    const words = [
      { later: 1 },
      { rules: [{ name: 'a', from: [{ app: 'b' }], later: 1 }] },
      { rules: [{ name: 'a', from: [{ app: 'b', later: 1 }] }] },
      { rules: [{ name: 'a', to: [{ methods: ['GET'], later: 1 }] }] },
    ];
    for (const spec of words)
      expect(stored(spec)).toMatchObject({ mode: 'enforce', reason: expect.stringContaining('does not know later') });
    expect(stored({ later: 1, mode: 'audit' })).toMatchObject({ mode: 'audit' });
  });

  test('that is nothing of the kind is unreadable', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (spec) => {
        const read = stored(spec);
        expect('reason' in read || readAccessPolicy(spec).ok).toBe(true);
      }),
    );
  });
});

describe('a NamespacePolicy', () => {
  test.each(specsOf(GOOD_EXAMPLES, 'NamespacePolicy'))('is read as the schema reads it: %j', (spec) => {
    const { callableFrom, mayCall, defaultAccess } = must(readNamespacePolicy(spec));
    expect(readStoredFence(spec)).toEqual({ fence: { callableFrom, mayCall, defaultAccess }, mistake: undefined });
  });

  test.each([
    { callableFrom: 'x' },
    { callableFrom: [{ app: 'x' }] },
    { mayCall: [{ namespace: 'a', later: 1 }] },
    { defaultAccess: 'maybe' },
    'text',
    null,
    [],
  ])('that cannot be read is a closed fence: %j', (spec) => {
    expect(readStoredFence(spec)).toEqual({
      fence: { callableFrom: [], mayCall: [], defaultAccess: 'deny' },
      mistake: expect.stringMatching(/./),
    });
  });
});
