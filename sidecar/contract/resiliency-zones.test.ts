// Balancing by what the operator says of pods: calls stay in the own zone while somebody is there, and subsets are pods with certain
// labels.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { openDnsClient } from '../resolve/dns/client.ts';
import { nxdomain, startNameServer, type TestNameServer } from '../resolve/dns/testing-server.ts';
import { openKubernetes } from '../resolve/kubernetes.ts';
import type { Names } from '../resolve/resolver.ts';
import { claimed, EMPTY_CONFIG, pod, type TestFeed, testFeed } from '../testing/feed.ts';
import { identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { send, to } from './testing.ts';
import { about, fed, type Instance, instances, type Spec } from './testing-resiliency.ts';

const WEB = identityOf('web');
const ORDERS = identityOf('orders');
const OWN = '10.9.8.7';
const CALLS = 12;

let mesh: Mesh;
let dns: TestNameServer;
let names: Names;
let feed: TestFeed;
let web: MeshSidecar;
let orders: readonly Instance[];

beforeEach(async () => {
  [mesh, dns, feed] = [await startMesh(), await startNameServer(nxdomain), testFeed()];
  const client = openDnsClient({ servers: () => [dns], clock: systemClock });
  names = openKubernetes({ clusterDomain: 'cluster.local', dns: client, clock: systemClock, random: () => 0.5 });
  feed.config.set(EMPTY_CONFIG);
  web = await mesh.start('web', { feed, names, config: { ownAddresses: ['fe80::1', OWN] } });
  orders = await instances(mesh, 'orders', 3);
});
afterEach(async () => {
  await mesh.close();
  names.close();
  await dns.close();
});

const portOf = (one: Instance | undefined) => one?.sidecar?.sidecar.ports.peer ?? 0;

/** How many of the calls each instance had. */
async function shares(): Promise<readonly number[]> {
  for (const each of orders) each.reset();
  for (let number = 0; number < CALLS; number++)
    expect((await send(web.sidecar.ports.http, { path: to('orders', '/x') })).status).toBe(200);
  return orders.map(({ seen }) => seen.length);
}

function areInZones(...zones: readonly string[]): void {
  feed.say(ORDERS, claimed(...orders.map((each, at) => pod(portOf(each), { zone: zones[at] ?? '' }))));
}

const says = (spec: Spec) => feed.config.set(fed(spec));

test('calls stay in the zone of the own pod, as soon as the operator has said which that is', async () => {
  says(about('orders', { balancing: { algorithm: 'round-robin' } }));
  areInZones('a', 'b', 'b');
  expect(feed.watched).toContain('web.default');
  expect((await shares()).every((share) => share > 0)).toBe(true);

  feed.say(WEB, claimed(pod(1, { host: '10.9.8.6', zone: 'b' }), pod(2, { host: OWN, zone: 'a' })));
  expect(await shares()).toEqual([CALLS, 0, 0]);

  areInZones('b', 'b', 'b');
  expect((await shares()).every((share) => share > 0)).toBe(true);
});

test('but not where a policy says so, and what is called later is called by zone, too', async () => {
  feed.say(WEB, claimed(pod(2, { host: OWN, zone: 'a' })));
  areInZones('a', 'b', 'b');
  says(about('orders', { balancing: { algorithm: 'round-robin', zone: 'ignore' } }));
  expect((await shares()).every((share) => share > 0)).toBe(true);
  says(about('orders', { balancing: { algorithm: 'round-robin', zone: 'prefer' } }));
  expect(await shares()).toEqual([CALLS, 0, 0]);
});

test('where nodes have no zones all are alike', async () => {
  says(about('orders', { balancing: { algorithm: 'round-robin' } }));
  feed.say(WEB, claimed(pod(2, { host: OWN })));
  areInZones('', '', 'b');
  expect((await shares()).every((share) => share > 0)).toBe(true);
});

test('a subset is the pods with its labels', async () => {
  const subset = (name: string, weight: number) => ({ name, labels: { track: name }, weight });
  const track = (name: string) => ({ labels: new Map([['track', name]]) });
  const [stable, canary, other] = orders.map(portOf);
  feed.say(ORDERS, claimed(pod(stable ?? 0, track('stable')), pod(canary ?? 0, track('canary')), pod(other ?? 0)));
  says(about('orders', { balancing: { subsets: [subset('stable', 0), subset('canary', 100)] } }));
  expect(await shares()).toEqual([0, CALLS, 0]);
});
