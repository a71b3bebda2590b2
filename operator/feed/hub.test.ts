// Whom a change concerns, and that they are told of it.
import type { V1ConfigMap, V1Node, V1Pod } from '@kubernetes/client-node';
import { beforeEach, expect, test } from 'vitest';
import { type Identity, parseSpiffeId } from '../../api/ids.ts';
import { APP_ID_KEY, PEER_PORT_NAME, SIDECAR_CONTAINER, TRUST_BUNDLE } from '../../api/pod.ts';
import { decodeFeedMessage, type FeedPart } from '../../api/proto/feed.ts';
import { type AccessPolicy, readAccessPolicy } from '../../api/resources/access-policy.ts';
import { type NamespacePolicy, readNamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { type Resiliency, readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import type { Workload } from '../../kube/workload.ts';
import { followClaims } from '../claims.ts';
import { memoryStore, memoryStores } from '../testing-stores.ts';
import { Hub } from './hub.ts';

const id = (path: string) => must(parseSpiffeId(`spiffe://cluster.local/ns/${path}`));
const [web, cart, teller] = [id('shop/web'), id('shop/cart'), id('bank/teller')];
const ours = id('invoke-system/invoke-operator').namespace;

let clock: ManualClock;
let stores: ReturnType<typeof openStores>;
let hub: Hub;
let anchors: string;
beforeEach(() => {
  clock = manualClock();
  stores = openStores();
  anchors = 'first';
  hub = new Hub({
    ...{ stores, clock, namespace: ours, epoch: () => 1, defaultAccess: 'deny' },
    claims: followClaims(stores),
    trustAnchors: () => Buffer.from(anchors),
  });
});

function openStores() {
  const deployments = memoryStore<Workload>();
  return {
    ...memoryStores(),
    deployments,
    workloads: [deployments],
    pods: memoryStore<V1Pod>(),
    nodes: memoryStore<V1Node>(),
    trustBundles: memoryStore<V1ConfigMap>(),
    accessPolicies: memoryStore<AccessPolicy>(),
    resiliencies: memoryStore<Resiliency>(),
    namespacePolicies: memoryStore<NamespacePolicy>(),
  };
}

/** A subscriber that takes everything at once, and what it was told after the beginning. */
function listen(self: Identity, ...wanted: Identity[]) {
  const told: (FeedPart | undefined)[] = [];
  const subscription = hub.subscribe(self, (message, written) => {
    told.push(must(decodeFeedMessage(message)).part);
    written();
  });
  subscription.want(wanted);
  told.length = 0;
  return { told, subscription };
}

const kindsOf = ({ told }: ReturnType<typeof listen>) => told.map((part) => part?.kind);
const endpointsOf = ({ told }: ReturnType<typeof listen>) =>
  told.flatMap((part) => (part?.kind === 'endpoints' ? [part.endpoints] : []));

const deployment = (app: string): Workload => ({
  metadata: { namespace: 'shop', name: 'a-deployment' },
  spec: { template: { metadata: { annotations: { [APP_ID_KEY]: app } } } },
});
const node = (zone: string): V1Node => ({
  metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': zone } },
});
const pod: V1Pod = {
  metadata: { namespace: 'shop', name: 'web-0', labels: { [APP_ID_KEY]: 'web' } },
  spec: {
    nodeName: 'node-1',
    containers: [],
    initContainers: [{ name: SIDECAR_CONTAINER, ports: [{ name: PEER_PORT_NAME, containerPort: 50002 }] }],
  },
  status: { podIP: '10.0.0.1' },
};

test.each([
  [
    'a Resiliency',
    () => stores.resiliencies.put({ metadata: { namespace: 'shop', name: 'x' }, spec: must(readResiliency({})) }),
  ],
  [
    'a NamespacePolicy',
    () =>
      stores.namespacePolicies.put({
        metadata: { name: 'shop' },
        spec: must(readNamespacePolicy({ callableFrom: [] })),
      }),
  ],
])('%s concerns the apps of its namespace', (_what, change) => {
  const listeners = [web, cart, teller].map((self) => listen(self));
  change();
  clock.advance(100);
  expect(listeners.map(kindsOf)).toEqual([['config'], ['config'], []]);
});

test('when a Resiliency goes that was in the way of another, those hear of it whom only the other one is about', () => {
  const put = (name: string, scopes: readonly string[], seconds: number) =>
    stores.resiliencies.put({
      metadata: { namespace: 'shop', name, creationTimestamp: new Date(seconds * 1000) },
      spec: must(readResiliency({ inbound: {}, scopes })),
    });
  put('of-web', ['web'], 1);
  put('of-both', ['web', 'cart'], 2);
  const { told } = listen(cart);
  stores.resiliencies.remove('shop/of-web');
  clock.advance(100);
  expect(told).toMatchObject([{ config: { resources: [{ name: 'of-both' }] } }]);
});

test('whom the apps of a namespace may call is told to all whom they may not, and to nobody else', () => {
  const listeners = [web, teller].map((self) => listen(self));
  const barred = () =>
    listeners.map(({ told }) => told.map((part) => (part?.kind === 'config' ? part.config.barredNamespaces : [])));
  const mayCall = (...namespaces: readonly string[]) => {
    const spec = must(readNamespacePolicy({ mayCall: namespaces.map((namespace) => ({ namespace })) }));
    stores.namespacePolicies.put({ metadata: { name: 'front' }, spec });
    clock.advance(100);
  };
  mayCall('shop');
  expect(barred()).toEqual([[], [['front']]]);
  mayCall('bank');
  expect(barred()).toEqual([[['front']], [['front'], []]]);
  mayCall('shop', 'bank');
  expect(barred()).toEqual([
    [['front'], []],
    [['front'], []],
  ]);
});

test('every app is told what holds where no policy says anything', () => {
  const { told } = listen(web);
  stores.accessPolicies.put({ metadata: { namespace: 'shop', name: 'x' }, spec: must(readAccessPolicy({})) });
  clock.advance(100);
  expect(told).toMatchObject([{ config: { defaultAccess: 'deny' } }]);
});

test('new trust anchors concern everybody; the copies in other namespaces nobody', () => {
  const listeners = [web, teller].map((self) => listen(self));
  const bundle = (namespace: string) => ({ metadata: { namespace, name: TRUST_BUNDLE }, data: { changed: anchors } });
  anchors = 'second';
  stores.trustBundles.put(bundle('shop'));
  clock.advance(100);
  expect(listeners.map(kindsOf)).toEqual([[], []]);
  stores.trustBundles.put(bundle(ours));
  clock.advance(100);
  expect(listeners.map(({ told }) => told)).toMatchObject(
    listeners.map(() => [{ kind: 'config', config: { trustAnchors: Buffer.from('second') } }]),
  );
});

test('an app is known from the first workload that claims it to the last', () => {
  const listener = listen(cart, web);
  stores.deployments.put(deployment('web'));
  clock.advance(100);
  stores.deployments.put(deployment('another'));
  clock.advance(100);
  expect(endpointsOf(listener)).toMatchObject([
    { isClaimed: true, endpoints: [] },
    { isClaimed: false, endpoints: [] },
  ]);
});

test('a pod is told in the zone of its node, also where the node is heard of later', () => {
  const listener = listen(cart, web);
  stores.pods.put(pod);
  clock.advance(100);
  stores.nodes.put(node('zone-a'));
  clock.advance(100);
  stores.nodes.put({ ...node('zone-a'), spec: { unschedulable: true } });
  clock.advance(100);
  expect(endpointsOf(listener)).toMatchObject([{ endpoints: [{ zone: '' }] }, { endpoints: [{ zone: 'zone-a' }] }]);
});

test('what is wanted no longer is told no longer, and is told anew when it is wanted again', () => {
  const listener = listen(cart, web);
  listener.subscription.want([]);
  stores.pods.put(pod);
  clock.advance(100);
  expect(listener.told).toEqual([]);
  listener.subscription.want([web]);
  listener.subscription.want([web]);
  expect(endpointsOf(listener)).toMatchObject([{ endpoints: [{ pod: 'web-0' }] }]);
});

test('many subscribers are told in turns, and all of them', () => {
  const listeners = Array.from({ length: 1000 }, () => listen(web));
  anchors = 'second';
  stores.trustBundles.put({ metadata: { namespace: ours, name: TRUST_BUNDLE } });
  clock.advance(50);
  expect(listeners.every(({ told }) => told.length === 1)).toBe(true);
});

test('who has ended is told nothing more, and keeps nobody else from it', () => {
  const [gone, stays] = [listen(web), listen(web)];
  gone.subscription.end();
  anchors = 'second';
  stores.trustBundles.put({ metadata: { namespace: ours, name: TRUST_BUNDLE } });
  clock.advance(100);
  expect([gone, stays].map(kindsOf)).toEqual([[], ['config']]);
});
