// Which fields of a request the app API goes by.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headerValue } from '../../api/headers.ts';
import { parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { checkAsked, checkToken, guard } from './guard.ts';
import { readInvocation } from './invocation.ts';
import { saidToSidecar } from './said.ts';

const NAMES = [
  ...['expect', 'origin', 'sec-fetch-site', 'authorization', 'dapr-app-id', 'invoke-app-id', 'dapr-api-token'],
  ...['invoke-timeout', 'accept', 'x-origin', 'originx', 'host', 'traceparent', '__proto__', ''],
];
const VALUES = ['web', 'other', 'cross-site', 'https://page.example', 'secret', 'Basic ZGFwci1hcHAtaWQ6d2Vi', ''];
const fields = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)), { maxLength: 6 })
  .map((pairs) => pairs.flat());

const OWN = must(parseNamespace('shop'));
const RULES = { apiToken: 'secret', allowedOrigins: [], allowedHosts: [] };
const judged = (said: readonly string[]) => [
  checkAsked('GET', said),
  guard('localhost', said, RULES),
  checkToken(said, RULES.apiToken),
  readInvocation('/v1.0/x', said, OWN),
  headerValue(said, 'invoke-timeout'),
];

test('whoever looks at what was said to the sidecar sees what they would see in all fields', () => {
  fc.assert(
    fc.property(fields, (all) => {
      expect(judged(saidToSidecar(all))).toEqual(judged(all));
    }),
    { numRuns: 1000 },
  );
});

test('what is for the app alone is not among it', () => {
  expect(saidToSidecar(['accept', 'origin', 'origin', 'a', 'x-tenant', 'north', 'origin', 'b'])).toEqual([
    ...['origin', 'a', 'origin', 'b'],
  ]);
  expect(saidToSidecar(['accept', '*/*'])).toEqual([]);
});
