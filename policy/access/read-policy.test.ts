// Sidecars read policies without the library of schemas, and come to what the schema says.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { readNamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { BAD_EXAMPLES, GOOD_EXAMPLES } from '../../api/resources/testing/examples.ts';
import { must } from '../../kit/result.ts';
import { readNamespaceAccess } from '../fence/read-fence.ts';
import { readPolicy } from './read-policy.ts';

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

/** What the schema minds besides; judging by it does no harm. */
const HARMLESS = /twice|at most|Too|too many|more than|duplicate|same name|share|of one name/i;

describe('what the schema refuses', () => {
  const bad = BAD_EXAMPLES.filter(({ object, says }) => object.kind === 'AccessPolicy' && !HARMLESS.test(says));
  test.each(bad)('$says cannot be read', ({ object }) => {
    const policy = read(object.spec);
    expect('reason' in policy ? policy.reason : policy).toEqual(expect.any(String));
  });
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
    }),
  );
});
