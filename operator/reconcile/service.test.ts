// What is done about the Service of an app, whatever is found.
import type { V1Service } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { parseAppId, parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { OWNER } from './owner.ts';
import { type ServiceFacts, serviceStep, UNCLAIMED_KEPT_MS, UNCLAIMED_SINCE_KEY, wantedService } from './service.ts';

const NOW_MS = Date.parse('2030-01-01T12:00:00Z');

const facts: ServiceFacts = {
  target: { namespace: must(parseNamespace('shop')), app: must(parseAppId('web')) },
  namespace: { metadata: { name: 'shop' } },
  isClaimed: true,
  existing: undefined,
  nowMs: NOW_MS,
};
const { publishNotReadyAddresses: _, ...stored } = wantedService(facts).spec ?? {};

/** As the API server keeps it, with what it adds, and with what somebody changed. */
function existing(changes: { metadata?: V1Service['metadata']; spec?: V1Service['spec'] } = {}): V1Service {
  const { metadata, ...kind } = wantedService(facts);
  const owner = { ...OWNER, uid: 'owner-uid' };
  return {
    ...kind,
    metadata: { ...metadata, uid: 'uid', resourceVersion: '7', ownerReferences: [owner], ...changes.metadata },
    spec: { ...stored, clusterIPs: ['None'], sessionAffinity: 'None', ...changes.spec },
  };
}

const unclaimed = (sinceMs: number, changes: Partial<ServiceFacts> = {}): ServiceFacts => {
  const annotations = { [UNCLAIMED_SINCE_KEY]: new Date(sinceMs).toISOString() };
  return { ...facts, isClaimed: false, existing: existing({ metadata: { annotations } }), ...changes };
};

describe('the Service of an app that is claimed', () => {
  test('is created headless, for the sidecars of ready pods alone', () => {
    const step = serviceStep(facts);
    expect(step).toEqual({
      kind: 'create',
      service: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'web-invoke',
          namespace: 'shop',
          labels: { 'app.kubernetes.io/managed-by': 'invoke-operator', 'invoke.io/app-id': 'web' },
        },
        spec: {
          type: 'ClusterIP',
          clusterIP: 'None',
          ipFamilyPolicy: 'PreferDualStack',
          publishNotReadyAddresses: false,
          selector: { 'invoke.io/app-id': 'web' },
          ports: [{ name: 'invoke-peer', port: 50002, targetPort: 'invoke-peer', protocol: 'TCP', appProtocol: 'tls' }],
        },
      },
    });
  });

  test('is left alone as it stands, whatever others have added', () => {
    const labels = { ...existing().metadata?.labels, team: 'a' };
    expect(serviceStep({ ...facts, existing: existing({ metadata: { labels } }) })).toEqual({ kind: 'nothing' });
  });

  test.each<[string, V1Service]>([
    ['the port is another', existing({ spec: { ports: [{ name: 'invoke-peer', port: 80 }] } })],
    ['the selector is narrower', existing({ spec: { selector: { 'invoke.io/app-id': 'web', track: 'canary' } } })],
    ['unready pods are published', existing({ spec: { publishNotReadyAddresses: true } })],
    ['it points elsewhere', existing({ spec: { type: 'ExternalName', externalName: 'evil.example' } })],
    ['the owner is missing', existing({ metadata: { ownerReferences: [] } })],
    ['it says that nobody claims it', unclaimed(NOW_MS).existing ?? {}],
  ])('is put right when %s', (_, found) => {
    const step = serviceStep({ ...facts, existing: found });
    expect(step).toMatchObject({ kind: 'replace', service: { spec: wantedService(facts).spec } });
    expect(step).not.toHaveProperty('againInMs');
    expect(step).not.toHaveProperty(['service', 'metadata', 'annotations', UNCLAIMED_SINCE_KEY]);
    expect(step).not.toHaveProperty('service.spec.externalName');
  });

  test('is put right upon the object that was looked at alone, and keeps what others have added', () => {
    const labels = { ...existing().metadata?.labels, team: 'a' };
    const metadata = { labels, annotations: { note: 'x' } };
    const step = serviceStep({ ...facts, existing: existing({ metadata, spec: { publishNotReadyAddresses: true } }) });
    expect(step).toMatchObject({ service: { metadata, spec: { sessionAffinity: 'None' } } });
    expect(step).toHaveProperty('service.metadata.uid', 'uid');
    expect(step).toHaveProperty('service.metadata.resourceVersion', '7');
  });

  test('is made anew when it was given an address, which cannot be taken away', () => {
    const found = existing({ spec: { type: 'ClusterIP', clusterIP: '10.0.0.7' } });
    expect(serviceStep({ ...facts, existing: found })).toEqual({ kind: 'delete', service: found });
  });

  test('is not made in a namespace that is ending or gone', () => {
    const ending = { metadata: { name: 'shop', deletionTimestamp: new Date(NOW_MS) } };
    expect(serviceStep({ ...facts, namespace: ending })).toEqual({ kind: 'nothing' });
    expect(serviceStep({ ...facts, namespace: undefined })).toEqual({ kind: 'nothing' });
  });

  test('is waited for while it is being deleted', () => {
    const found = existing({ metadata: { deletionTimestamp: new Date(NOW_MS) } });
    expect(serviceStep({ ...facts, existing: found })).toEqual({ kind: 'nothing' });
  });
});

describe('the Service of an app that nobody claims any more', () => {
  test('says since when, and is looked at again ten minutes later', () => {
    const step = serviceStep({ ...facts, isClaimed: false, existing: existing() });
    expect(step).toMatchObject({
      kind: 'replace',
      service: { metadata: { annotations: { [UNCLAIMED_SINCE_KEY]: '2030-01-01T12:00:00.000Z' } } },
      againInMs: UNCLAIMED_KEPT_MS,
    });
  });

  test('stays until the ten minutes are over, whoever leads by then', () => {
    expect(serviceStep(unclaimed(NOW_MS - 4 * 60_000))).toEqual({ kind: 'nothing', againInMs: 6 * 60_000 });
    const late = unclaimed(NOW_MS - UNCLAIMED_KEPT_MS);
    expect(serviceStep(late)).toEqual({ kind: 'delete', service: late.existing });
  });

  test.each(['', 'yesterday', '2031-01-01T00:00:00Z'])('starts anew when the time written on it is "%s"', (since) => {
    const found = existing({ metadata: { annotations: { [UNCLAIMED_SINCE_KEY]: since } } });
    expect(serviceStep({ ...facts, isClaimed: false, existing: found })).toMatchObject({
      kind: 'replace',
      service: { metadata: { annotations: { [UNCLAIMED_SINCE_KEY]: '2030-01-01T12:00:00.000Z' } } },
      againInMs: UNCLAIMED_KEPT_MS,
    });
  });

  test('is not made', () => {
    expect(serviceStep({ ...facts, isClaimed: false })).toEqual({ kind: 'nothing' });
  });
});
