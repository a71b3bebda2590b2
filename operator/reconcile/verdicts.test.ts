// What is said of a policy that slipped in past the API server's validation, by somebody who took that away or with an older schema.
import { expect, test } from 'vitest';
import { type AccessPolicy, accessPolicySpec } from '../../api/resources/access-policy.ts';
import { wantedStatus } from './conditions.ts';
import { judgeAccessPolicy } from './verdicts.ts';

/** As the API server would hand it out: nothing holds it to the schema. */
function stored(spec: object): AccessPolicy {
  return JSON.parse(JSON.stringify({ metadata: { name: 'orders', namespace: 'shop', generation: 2 }, spec }));
}

const said = (policy: AccessPolicy) =>
  wantedStatus(policy, judgeAccessPolicy(policy), 0)?.conditions?.map(({ type, status, message }) => [
    type,
    status,
    message,
  ]);

test('an access policy that makes sense is accepted', () => {
  expect(said(stored(accessPolicySpec.parse({})))).toMatchObject([
    ['Accepted', 'True', expect.any(String)],
    ['Programmed', 'True', expect.any(String)],
  ]);
});

test('one that does not is not accepted, and every mistake is named with its place', () => {
  const rules = [{ name: 'a', action: 'perhaps', from: [{ app: 'web' }] }, { name: 'b' }];
  expect(said(stored({ mode: 'sometimes', rules }))).toEqual([
    [
      'Accepted',
      'False',
      expect.stringMatching(/spec\.mode.*spec\.rules\[0\]\.action.*spec\.rules\[1\].*say whom the rule is about/),
    ],
    ['Programmed', 'False', expect.stringContaining('not accepted')],
  ]);
});
