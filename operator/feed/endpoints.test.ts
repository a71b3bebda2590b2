// What is told of an app's pods.
import type { V1Pod } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { APP_ID_KEY, PEER_PORT_NAME, SIDECAR_CONTAINER } from '../../api/pod.ts';
import { must } from '../../kit/result.ts';
import { compileEndpoints } from './endpoints.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const facts = { isClaimed: true, version: 9, zoneOf: (node: string) => (node === 'node-1' ? 'zone-a' : '') };

interface PodShape {
  readonly ready?: boolean;
  readonly deleted?: boolean;
  readonly ip?: string | undefined;
  readonly ports?: { name: string; containerPort: number }[];
  readonly labels?: Record<string, string>;
  readonly nodeName?: string;
}

function pod(name: string, shape: PodShape = {}): V1Pod {
  const { ready = true, deleted = false, ip = '10.0.0.1', labels = {}, nodeName = 'node-1' } = shape;
  const { ports = [{ name: PEER_PORT_NAME, containerPort: 50012 }] } = shape;
  return {
    metadata: { name, labels: { [APP_ID_KEY]: 'web', ...labels }, ...(deleted && { deletionTimestamp: new Date(0) }) },
    spec: { nodeName, containers: [], initContainers: [{ name: 'setup' }, { name: SIDECAR_CONTAINER, ports }] },
    status: { ...(ip && { podIP: ip }), conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const told = (...pods: readonly V1Pod[]) => compileEndpoints(web, pods, facts).endpoints;

test('a pod is told with its address, the port of its sidecar, its zone and its labels', () => {
  expect(compileEndpoints(web, [pod('web-0', { labels: { version: 'v2' } })], facts)).toEqual({
    app: { appId: 'web', namespace: 'shop' },
    isClaimed: true,
    version: 9,
    endpoints: [
      {
        ...{ address: '10.0.0.1', port: 50012, pod: 'web-0', zone: 'zone-a', labels: new Map([['version', 'v2']]) },
        ...{ ready: true, serving: true, terminating: false },
      },
    ],
  });
});

test.each([
  [{ ready: true }, { ready: true, serving: true, terminating: false }],
  [{ ready: false }, { ready: false, serving: false, terminating: false }],
  [
    { ready: true, deleted: true },
    { ready: false, serving: true, terminating: true },
  ],
  [
    { ready: false, deleted: true },
    { ready: false, serving: false, terminating: true },
  ],
])('a pod that is %o is told as %o, as an EndpointSlice has it', (shape, expected) => {
  expect(told(pod('web-0', shape))).toMatchObject([expected]);
});

test('a pod without an address yet, and one without our sidecar, are left out', () => {
  const { podIP: _, ...waiting } = pod('waiting').status ?? {};
  expect(told({ ...pod('waiting'), status: waiting }, pod('bare', { ports: [] }))).toEqual([]);
});

test('an app that is claimed and has no pods is told as such', () => {
  expect(compileEndpoints(web, [], facts)).toMatchObject({ isClaimed: true, endpoints: [] });
  expect(compileEndpoints(web, [], { ...facts, isClaimed: false }).isClaimed).toBe(false);
});

test('the order of pods makes no difference, and ready ones come first', () => {
  const pods = [pod('c', { ready: false }), pod('b'), pod('a')];
  expect(told(...pods).map((endpoint) => endpoint.pod)).toEqual(['a', 'b', 'c']);
  expect(told(...pods.toReversed())).toEqual(told(...pods));
});

test('of many labels some are told, always the same', () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`label-${99 - index}`, 'x']));
  expect([...(told(pod('web-0', { labels: many }))[0]?.labels.keys() ?? [])]).toEqual(
    Object.keys(many).sort().slice(0, 32),
  );
  const long = { a: 'x'.repeat(63), b: 'y'.repeat(2000), c: 'z' };
  expect([...(told(pod('web-0', { labels: long }))[0]?.labels.keys() ?? [])]).toEqual(['a']);
});

test('of more pods than a message holds, the ready ones are told', () => {
  const pods = Array.from({ length: 6000 }, (_, index) => pod(`web-${index}`, { ready: index >= 5500 }));
  const endpoints = told(...pods);
  expect(endpoints).toHaveLength(5000);
  expect(endpoints.filter(({ ready }) => ready)).toHaveLength(500);
});
