// Who claims an app id, and who has ceased to.
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import type { Workload } from '../kube/workload.ts';
import { claimOfPod, claimOfWorkload, followClaims } from './claims.ts';
import { memoryStore } from './testing-stores.ts';

const claimed = { namespace: 'shop', app: 'web' };

function pod(name: string, changes: { readonly phase?: string; readonly app?: string } = {}): V1Pod {
  const { phase = 'Running', app = 'web' } = changes;
  return { metadata: { name, namespace: 'shop', labels: { 'invoke.io/app-id': app } }, status: { phase } };
}

function deployment(app: string, name = 'web'): Workload {
  const template = { metadata: { annotations: { 'invoke.io/app-id': app } } };
  return { kind: 'Deployment', metadata: { name, namespace: 'shop' }, spec: { template } };
}

describe('an app id is claimed', () => {
  test('by a pod with the label, until it has ended', () => {
    expect(claimOfPod(pod('web-1'))).toEqual(claimed);
    expect(claimOfPod(pod('web-1', { phase: 'Pending' }))).toEqual(claimed);
    expect(claimOfPod(pod('web-1', { phase: 'Succeeded' }))).toBeUndefined();
    expect(claimOfPod(pod('web-1', { phase: 'Failed' }))).toBeUndefined();
    expect(claimOfPod({ metadata: { name: 'plain', namespace: 'shop' } })).toBeUndefined();
  });

  test("by a workload's template, also without any pod", () => {
    expect(claimOfWorkload(deployment('web'))).toEqual(claimed);
    const template = { metadata: { annotations: { 'invoke.io/app-id': 'web' } } };
    const cronJob = { metadata: { name: 'web', namespace: 'shop' }, spec: { jobTemplate: { spec: { template } } } };
    expect(claimOfWorkload(cronJob)).toEqual(claimed);
  });

  test('by no workload that makes no more pods', () => {
    const web = deployment('web');
    expect(claimOfWorkload({ ...web, metadata: { ...web.metadata, deletionTimestamp: new Date(0) } })).toBeUndefined();
    for (const type of ['Complete', 'Failed']) {
      const conditions = [{ type, status: 'True' }];
      expect(claimOfWorkload({ ...web, kind: 'Job', status: { conditions } })).toBeUndefined();
    }
  });

  test('by nobody whose name cannot be an app id', () => {
    expect(claimOfPod(pod('web-1', { app: 'Web' }))).toBeUndefined();
    expect(claimOfWorkload(deployment('a/b'))).toBeUndefined();
  });
});

describe('the claims of a cluster', () => {
  test('hold those who were there before, and those who come', () => {
    const pods = memoryStore(pod('web-1'));
    const claims = followClaims({ pods, workloads: [memoryStore(deployment('web'))] });
    pods.put(pod('web-2'));
    expect(claims.of('shop/web').map(({ metadata }) => metadata?.name)).toEqual(['web-1', 'web', 'web-2']);
    expect(claims.keys()).toEqual(['shop/web']);
    expect(claims.of('shop/other')).toEqual([]);
  });

  test('tell of both apps when a workload takes another name', () => {
    const workloads = memoryStore(deployment('web'));
    const claims = followClaims({ pods: memoryStore(), workloads: [workloads] });
    const told: string[] = [];
    claims.changed((key) => told.push(key));
    workloads.put(deployment('shop'));
    expect(told).toEqual(['shop/web', 'shop/shop']);
    expect(claims.keys()).toEqual(['shop/shop']);
  });

  test('say nothing of a change that claims nothing else, and hold its newest state', () => {
    const pods = memoryStore(pod('web-1', { phase: 'Pending' }));
    const claims = followClaims({ pods, workloads: [] });
    const told: string[] = [];
    claims.changed((key) => told.push(key));
    pods.put(pod('web-1', { phase: 'Running' }));
    expect(told).toEqual([]);
    expect(claims.of('shop/web')).toEqual([pod('web-1', { phase: 'Running' })]);
    pods.put(pod('web-1', { phase: 'Succeeded' }));
    expect(told).toEqual(['shop/web']);
    expect(claims.keys()).toEqual([]);
  });

  test('keep apart objects of one name in several kinds', () => {
    const [deployments, jobs] = [memoryStore(deployment('web')), memoryStore({ ...deployment('web'), kind: 'Job' })];
    const claims = followClaims({ pods: memoryStore(), workloads: [deployments, jobs] });
    jobs.remove('shop/web');
    expect(claims.of('shop/web').map(({ kind }) => kind)).toEqual(['Deployment']);
  });
});
