// What is done about the trust anchors of a namespace, whatever is found.
import type { V1ConfigMap } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { OWNER } from './owner.ts';
import { type TrustBundleFacts, trustBundleStep } from './trust-bundle.ts';

const facts: TrustBundleFacts = {
  name: must(parseNamespace('shop')),
  namespace: { metadata: { name: 'shop' } },
  ownNamespace: must(parseNamespace('invoke-system')),
  published: { data: { 'trust-anchors.crt': 'PEM' } },
  existing: undefined,
};

const bundle = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'invoke-trust-bundle',
    namespace: 'shop',
    labels: { 'app.kubernetes.io/managed-by': 'invoke-operator' },
  },
  data: { 'trust-anchors.crt': 'PEM' },
};
const existing: V1ConfigMap = {
  ...bundle,
  metadata: { ...bundle.metadata, uid: 'uid', ownerReferences: [{ ...OWNER, uid: 'owner-uid' }] },
};

describe('the trust anchors of a namespace', () => {
  test('are copied from where the sentry publishes them', () => {
    expect(trustBundleStep(facts)).toEqual({ kind: 'apply', bundle });
  });

  test('are left alone as they stand', () => {
    expect(trustBundleStep({ ...facts, existing })).toEqual({ kind: 'nothing' });
    const frozen = { ...existing, immutable: true };
    expect(trustBundleStep({ ...facts, existing: frozen })).toEqual({ kind: 'nothing' });
  });

  test.each<[string, V1ConfigMap]>([
    ['they were edited', { ...existing, data: { 'trust-anchors.crt': 'somebody else' } }],
    ['their key was taken away', { ...existing, data: {} }],
    ['the label is gone', { ...existing, metadata: { ...existing.metadata, labels: {} } }],
    ['the owner is gone', { ...existing, metadata: { ...existing.metadata, ownerReferences: [] } }],
  ])('are put right when %s', (_, found) => {
    expect(trustBundleStep({ ...facts, existing: found })).toEqual({ kind: 'apply', bundle });
  });

  test.each<[string, V1ConfigMap]>([
    ['frozen with other anchors', { ...existing, data: { 'trust-anchors.crt': 'old' }, immutable: true }],
    ['blocked by binary data', { ...existing, data: {}, binaryData: { 'trust-anchors.crt': 'AA==' } }],
  ])('are made anew when they were %s', (_, found) => {
    expect(trustBundleStep({ ...facts, existing: found })).toEqual({ kind: 'remake', existing: found, bundle });
  });

  test('stay what they are while the sentry publishes none', () => {
    const found = { ...existing, data: { 'trust-anchors.crt': 'old' } };
    for (const published of [undefined, {}, { data: { 'trust-anchors.crt': '' } }]) {
      expect(trustBundleStep({ ...facts, existing: found, published })).toEqual({ kind: 'nothing' });
    }
  });

  test("are the sentry's alone in our own namespace", () => {
    expect(trustBundleStep({ ...facts, name: facts.ownNamespace })).toEqual({ kind: 'nothing' });
  });

  test('are not made in a namespace that is ending or gone', () => {
    const ending = { metadata: { name: 'shop', deletionTimestamp: new Date(0) } };
    expect(trustBundleStep({ ...facts, namespace: ending })).toEqual({ kind: 'nothing' });
    expect(trustBundleStep({ ...facts, namespace: undefined })).toEqual({ kind: 'nothing' });
  });
});
