// Each mistake says what was written, and what can be written instead.
import { expect, test } from 'vitest';
import { readAccessPolicy } from './access-policy.ts';
import { readResiliency } from './resiliency.ts';

test.each<[string, unknown, string]>([
  ['a slip', { app: ['web'] }, 'spec: there is no field "app" here; did you mean apps?'],
  [
    'another word',
    { users: [] },
    'spec: there is no field "users" here; there are apps, mode, default, encodedSlash, rules',
  ],
  ['an unknown word', { mode: 'strict' }, 'spec.mode: "strict" is none of enforce, audit'],
  ['one text for a list', { apps: 'web' }, 'spec.apps: "web" stands there; write a list'],
  ['a number for a text', { apps: [7] }, 'spec.apps[0]: 7 stands there; write text'],
  ['nothing after the colon', { rules: null }, 'spec.rules: it is missing; write a list'],
  ['nothing at all', undefined, 'spec: it is missing; write fields and their values'],
  ['a field left out', { rules: [{ from: [{ app: 'web' }] }] }, 'spec.rules[0].name: it is missing; write text'],
])('%s', (_, spec, mistake) => {
  expect(readAccessPolicy(spec)).toEqual({ ok: false, error: [mistake] });
});

test('a number that is none', () => {
  const retries = { r: { policy: 'constant', maxRetries: 'three' } };
  expect(readResiliency({ policies: { retries } })).toMatchObject({
    error: ['spec.policies.retries.r.maxRetries: "three" stands there; write a number'],
  });
});
