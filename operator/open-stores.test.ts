// What is watched, and what is kept of it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { type ApiServer, startApiServer } from '../kube/testing/api-server.ts';
import {
  CONFIG_MAPS,
  CRON_JOBS,
  DEPLOYMENTS,
  type Kind,
  type KubernetesObject,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICES,
} from '../kube/types.ts';
import { claimOfPod, claimOfWorkload } from './claims.ts';
import { namedStores } from './health.ts';
import { openStores } from './open-stores.ts';
import type { Stores } from './stores.ts';

let server: ApiServer;
let stores: Stores;

beforeEach(async () => {
  server = await startApiServer();
});

afterEach(async () => {
  for (const [, store] of namedStores(stores)) store.stop();
  await server.stop();
});

async function open(): Promise<Stores> {
  stores = openStores(server.kube, { clock: systemClock, random: () => 0.5, log: silentLog });
  await Promise.all(namedStores(stores).map(([, store]) => store.synced));
  return stores;
}

/** As other people write objects: with much that is of no interest here. */
function put<T extends KubernetesObject>(kind: Kind<T>, object: object): void {
  server.put<KubernetesObject>(kind, object);
}

const managedFields = [{ manager: 'kubectl' }];
const sidecar = { name: 'invoke-sidecar', image: 'x', ports: [{ name: 'invoke-peer', containerPort: 50002 }] };
const template = {
  metadata: { annotations: { 'invoke.io/app-id': 'web', 'team.example/secret': 'x' }, labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image: 'app' }] },
};

describe('of a pod is kept', () => {
  test('where it is and how it is, and of its containers ours alone', async () => {
    put(PODS, {
      metadata: {
        ...{ name: 'web-1', namespace: 'shop', labels: { 'invoke.io/app-id': 'web', track: 'a' }, managedFields },
        annotations: { 'invoke.io/app-id': 'web', 'team.example/secret': 'x' },
      },
      spec: {
        ...{ nodeName: 'n1', containers: [{ name: 'app', env: [{ name: 'PASSWORD', value: 'x' }] }] },
        initContainers: [sidecar, { name: 'init', image: 'y' }],
      },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        conditions: [{ type: 'Ready', status: 'True' }, { type: 'Initialized' }],
      },
    });
    const [pod] = (await open()).pods.all();
    expect(pod).toMatchObject({ kind: 'Pod', metadata: { name: 'web-1', labels: { track: 'a' } } });
    expect(pod?.spec).toEqual({
      nodeName: 'n1',
      containers: [],
      initContainers: [{ name: 'invoke-sidecar', ports: sidecar.ports }],
    });
    expect(pod?.status).toEqual({
      phase: 'Running',
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True' }],
    });
    expect(JSON.stringify(pod)).not.toMatch(/PASSWORD|secret|managedFields/);
    expect(pod && claimOfPod(pod)).toEqual({ namespace: 'shop', app: 'web' });
  });
});

test('of a workload is kept what it claims', async () => {
  put(DEPLOYMENTS, { metadata: { name: 'web', namespace: 'shop', managedFields }, spec: { replicas: 3, template } });
  put(CRON_JOBS, {
    metadata: { name: 'web', namespace: 'night' },
    spec: { schedule: 'x', jobTemplate: { spec: { template } } },
  });
  const { workloads } = await open();
  const all = workloads.flatMap((store) => store.all());
  expect(all.map(({ kind }) => kind)).toEqual(['Deployment', 'CronJob']);
  expect(all.map(claimOfWorkload)).toEqual([
    { namespace: 'shop', app: 'web' },
    { namespace: 'night', app: 'web' },
  ]);
  expect(JSON.stringify(all)).not.toMatch(/containers|managedFields|secret/);
});

test('of a node is kept its zone', async () => {
  put(NODES, { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'a' } }, status: { images: ['x'] } });
  const { nodes } = await open();
  expect(nodes.get('n1')?.metadata?.labels).toEqual({ 'topology.kubernetes.io/zone': 'a' });
  expect(nodes.get('n1')?.status).toBeUndefined();
});

test('pods, Services, NetworkPolicies and ConfigMaps of other people are not kept at all', async () => {
  put(PODS, { metadata: { name: 'plain', namespace: 'shop' } });
  put(SERVICES, { metadata: { name: 'web-invoke', namespace: 'shop' } });
  put(NETWORK_POLICIES, { metadata: { name: 'web-invoke', namespace: 'shop' } });
  put(CONFIG_MAPS, { metadata: { name: 'settings', namespace: 'shop' } });
  put(CONFIG_MAPS, { metadata: { name: 'invoke-trust-bundle', namespace: 'shop' } });
  const { pods, services, networkPolicies, trustBundles } = await open();
  expect(pods.all()).toEqual([]);
  expect(services.all()).toEqual([]);
  expect(networkPolicies.all()).toEqual([]);
  expect(trustBundles.all().map(({ metadata }) => metadata?.name)).toEqual(['invoke-trust-bundle']);
});
