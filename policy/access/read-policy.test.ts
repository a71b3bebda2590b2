// Sidecars read policies without the library of schemas, and come to what the schema says.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { readNamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { BAD_EXAMPLES, GOOD_EXAMPLES, LATE_EXAMPLES } from '../../api/resources/testing/examples.ts';
import { must } from '../../kit/result.ts';
import { readNamespaceAccess } from '../fence/read-fence.ts';
import { compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { readPolicy } from './read-policy.ts';
import { anyPolicy, call, identity } from './testing/policies.ts';

const own = must(parseSpiffeId('spiffe://cluster.local/ns/shop/orders'));
const place = { namespace: 'shop', name: 'orders' };
const read = (spec: unknown) => readPolicy(place, spec, own);

const good = (kind: string) => GOOD_EXAMPLES.filter(({ object }) => object.kind === kind);

test.each(good('AccessPolicy'))('$says is read as the schema reads it', ({ object }) => {
  expect(read(object.spec)).toEqual({ ...place, spec: must(readAccessPolicy(object.spec)) });
});

test.each(good('NamespacePolicy'))('of $says a sidecar reads what is about access', ({ object }) => {
  const { callableFrom, mayCall, defaultAccess } = must(readNamespacePolicy(object.spec));
  const access = { callableFrom, mayCall, defaultAccess };
  expect({
    callableFrom: undefined,
    mayCall: undefined,
    defaultAccess: undefined,
    ...must(readNamespaceAccess(object.spec)),
  }).toEqual(access);
});

test('whatever the schema takes is read as it reads it', () => {
  fc.assert(
    fc.property(anyPolicy, ({ spec }) => {
      expect(read(JSON.parse(JSON.stringify(spec)))).toEqual({ ...place, spec });
    }),
  );
});

describe('what the schema refuses', () => {
  /** What it minds besides; judging by it does no harm. */
  const HARMLESS = /twice|at most|Too|too many|more than|duplicate|same name|share|of one name/i;
  const bad = BAD_EXAMPLES.filter(({ object, says }) => object.kind === 'AccessPolicy' && !HARMLESS.test(says));
  test.each(bad)('$says cannot be read', ({ object }) => {
    const policy = read(object.spec);
    expect('reason' in policy ? policy.reason : policy).toEqual(expect.any(String));
  });

  /** What only bounds a policy that somebody writes: how long, how many, and no two alike. It opens nothing. */
  const BOUNDS =
    /Too big|at most|Duplicate value|no two|is not an app id|an app id has|a name has|a trust domain has|write an app id|write a namespace/;
  const refused = [...BAD_EXAMPLES, ...LATE_EXAMPLES]
    .filter(({ object }) => object.kind === 'AccessPolicy')
    .map(({ object }): object => object.spec)
    .filter((spec) => {
      const schema = readAccessPolicy(spec);
      return !schema.ok && !schema.error.some((mistake) => BOUNDS.test(mistake));
    });
  test.each(refused)('closes what it was to protect: %j', (spec) => {
    const policy = read(spec);
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
});

test.each([
  { later: 1 },
  { rules: [{ name: 'a', from: [{ app: 'b' }], later: 1 }] },
  { rules: [{ name: 'a', from: [{ app: 'b', later: 1 }] }] },
  { rules: [{ name: 'a', to: [{ methods: ['GET'], later: 1 }] }] },
])('a word of a later version is named, wherever it stands: %j', (spec) => {
  expect(read(spec)).toMatchObject({
    mode: 'enforce',
    reason: expect.stringContaining('fields that are not known here: later'),
  });
});

test.each([
  { callableFrom: 'x' },
  { callableFrom: [{ app: 'x' }] },
  { mayCall: [{ namespace: 'a', later: 1 }] },
  { defaultAccess: 'maybe' },
  'text',
  null,
  [],
])('what is no NamespacePolicy cannot be read: %j', (spec) => {
  expect(readNamespaceAccess(spec)).toEqual({ ok: false, error: expect.stringMatching(/./) });
});

test.each([
  ['a field of a later version', { rules: [], when: 'it rains' }],
  ['a condition of a later version', { rules: [{ name: 'a', from: [{ app: 'web', zone: 'a' }] }] }],
  ['an operation of a later version', { rules: [{ name: 'a', to: [{ paths: ['/a'], headers: ['x'] }] }] }],
  ['a mode of a later version', { mode: 'rehearse' }],
  ['no object', 'deny'],
  ['nothing', undefined],
])('%s makes a policy unreadable, and it is not overlooked', (_what, spec) => {
  expect(read(spec)).toEqual({ ...place, mode: 'enforce', reason: expect.any(String) });
});

test('one in audit mode that cannot be read is still one in audit mode', () => {
  expect(read({ mode: 'audit', when: 'it rains' })).toMatchObject({ mode: 'audit' });
});

test('whatever stands there, it is read or it is not', () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom('allow', 'deny', 'audit'), fc.array(fc.jsonValue()));
  const spec = fc.dictionary(fc.constantFrom('apps', 'mode', 'default', 'rules', 'encodedSlash', 'other'), field);
  fc.assert(
    fc.property(fc.oneof(spec, fc.jsonValue()), (written) => {
      const policy = read(written);
      const schema = readAccessPolicy(written);
      if (schema.ok) expect(policy).toEqual({ ...place, spec: schema.value });
      expect('reason' in policy || schema.ok).toBe(true);
    }),
  );
});
