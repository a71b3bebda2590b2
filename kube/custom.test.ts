// The kinds that we ask the API server for are those that our definitions make it serve.
import { expect, test } from 'vitest';
import { VERSION } from '../api/pod.ts';
import { RESOURCE_KINDS } from '../api/resources/crd.ts';
import { ACCESS_POLICIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES, RESILIENCIES } from './custom.ts';
import { apiVersion } from './types.ts';

test('each of our kinds is asked for where its definition puts it', () => {
  const asked = [ACCESS_POLICIES, RESILIENCIES, NAMESPACE_POLICIES, HTTP_ENDPOINTS];
  expect(asked.map(({ kind, plural, isNamespaced }) => ({ kind, plural, isNamespaced }))).toEqual(
    RESOURCE_KINDS.map(({ kind, plural, scope }) => ({ kind, plural, isNamespaced: scope === 'Namespaced' })),
  );
  for (const kind of asked) expect(apiVersion(kind)).toBe(`invoke.io/${VERSION}`);
});
