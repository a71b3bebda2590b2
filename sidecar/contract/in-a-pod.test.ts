// What a sidecar owes to the control plane beside it: what it waits for, what it does not lose with it, and how its calls
// find their way past pods that end and addresses that changed hands.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { throwawayCa } from '../../identity/testing.ts';
import { systemClock } from '../../kit/clock.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { openDnsClient } from '../resolve/dns/client.ts';
import { nxdomain, service, startNameServer, type TestNameServer } from '../resolve/dns/testing-server.ts';
import { openKubernetes } from '../resolve/kubernetes.ts';
import type { Names } from '../resolve/resolver.ts';
import { claimed, EMPTY_CONFIG, pod, type TestFeed, testFeed, UNCLAIMED } from '../testing/feed.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';

let mesh: Mesh;
let dns: TestNameServer;
let names: Names;
let feed: TestFeed;
beforeEach(async () => {
  [mesh, dns, feed] = [await startMesh(), await startNameServer(nxdomain), testFeed()];
  const client = openDnsClient({ servers: () => [dns], clock: systemClock });
  names = openKubernetes({ clusterDomain: 'cluster.local', dns: client, clock: systemClock, random: () => 0.5 });
});
afterEach(async () => {
  await mesh.close();
  names.close();
  await dns.close();
});

const ORDERS = identityOf('orders');
const portOfPeer = ({ sidecar }: MeshSidecar) => sidecar.ports.peer;
const call = ({ sidecar }: MeshSidecar, app: string, path = '/x') => send(sidecar.ports.http, { path: to(app, path) });
const health = ({ sidecar }: MeshSidecar, page = '') => send(sidecar.ports.http, { path: `/v1.0/healthz${page}` });

function inPod(app: string, own: TestFeed = feed) {
  return mesh.start(app, { feed: own, names, handler: echo });
}

test('no call is judged, and nothing is ready, before the first snapshot; the reason is told', async () => {
  const orders = await inPod('orders');
  const web = await mesh.start('web');
  feed.fallSilent('the operator cannot be reached');
  const answer = await call(web, 'orders');
  expect(expectFault(answer, 'not-ready')).toContain('the operator cannot be reached');
  expectFault(await call(orders, 'orders'), 'not-ready');
  for (const page of ['', '/outbound']) {
    const { status, body } = await health(orders, page);
    expect([status, body.toString()]).toEqual([503, expect.stringContaining('the operator cannot be reached')]);
  }

  feed.config.set(EMPTY_CONFIG);
  expect((await call(web, 'orders')).status).toBe(200);
  for (const page of ['', '/outbound']) expect((await health(orders, page)).status).toBe(204);
});

test('once ready, the loss of the control plane and of DNS changes nothing about that', async () => {
  feed.config.set(EMPTY_CONFIG);
  const orders = await inPod('orders');
  expect((await health(orders)).status).toBe(204);
  feed.fallSilent('the operator is gone');
  feed.config.set(undefined);
  dns.answer = () => [];
  for (const page of ['', '/outbound']) expect((await health(orders, page)).status).toBe(204);
});

test('an app is found by the DNS of the cluster, at all of its addresses', async () => {
  feed.config.set(EMPTY_CONFIG);
  const seen = new Set<number>();
  const counted = (number: number) => (_: IncomingMessage, response: ServerResponse) => response.end(`${number}`);
  const pods = [
    await mesh.start('orders', { handler: counted(0) }),
    await mesh.start('orders', { handler: counted(1) }),
  ];
  const web = await inPod('web');
  dns.answer = service(pods.map(portOfPeer));
  for (let i = 0; i < 4; i++) seen.add(Number((await call(web, 'orders')).body));
  expect([...seen].sort()).toEqual([0, 1]);
});

test('an address that another app was given answers as that app: it is refused, and the next one is tried', async () => {
  feed.config.set(EMPTY_CONFIG);
  const [stranger, orders] = [
    await mesh.start('stranger', { handler: echo }),
    await mesh.start('orders', { handler: echo }),
  ];
  const web = await inPod('web');
  dns.answer = service([portOfPeer(stranger), await freePort(), portOfPeer(orders)]);
  for (let i = 0; i < 6; i++) expect((await call(web, 'orders')).status).toBe(200);

  feed.say(ORDERS, claimed(pod(portOfPeer(stranger))));
  expectFault(await call(web, 'orders'), 'peer-untrusted');
});

test('an unknown app is 404 where the operator says so, and 503 where only DNS can be asked', async () => {
  feed.config.set(EMPTY_CONFIG);
  const web = await inPod('web');
  feed.say(ORDERS, UNCLAIMED);
  expectFault(await call(web, 'orders'), 'unknown-app');
  feed.fallSilent('the operator is gone');
  expectFault(await call(web, 'orders'), 'no-endpoint');
});

test('a pod that drains is left by its callers at once, and no call fails while names still lead to it', async () => {
  feed.config.set(EMPTY_CONFIG);
  const [ending, staying] = [
    await mesh.start('orders', { handler: echo }),
    await mesh.start('orders', { handler: echo }),
  ];
  const web = await inPod('web');
  feed.say(ORDERS, claimed(pod(portOfPeer(ending)), pod(portOfPeer(staying))));
  for (let i = 0; i < 4; i++) expect((await call(web, 'orders')).status).toBe(200);
  ending.sidecar.drain();
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(web, 'orders')));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

test('peers are believed by the anchors of the snapshot, too', async () => {
  const otherCa = throwawayCa('another root');
  const orders = await mesh.start('orders', { handler: echo, ca: otherCa, feed });
  const own = testFeed();
  const web = await inPod('web', own);
  own.config.set(EMPTY_CONFIG);
  feed.config.set(EMPTY_CONFIG);
  own.say(ORDERS, claimed(pod(portOfPeer(orders))));
  expectFault(await call(web, 'orders'), 'peer-untrusted');
  own.config.set({ ...EMPTY_CONFIG, trustAnchors: otherCa.anchors });
  feed.config.set({ ...EMPTY_CONFIG, trustAnchors: mesh.ca.anchors });
  expect((await call(web, 'orders')).status).toBe(200);
});
