// Who is let in at the peer port, and whom a sidecar trusts at the other end.
import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spiffeId } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { type IssueOptions, throwawayCa } from '../../identity/testing.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { rawPeer } from '../testing/raw-peer.ts';

let mesh: Mesh;
let web: MeshSidecar;
let orders: MeshSidecar;

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
  orders = await mesh.start('orders', { handler: echo });
});
afterAll(() => mesh.close());

test('plain text gets no answer', async () => {
  const socket = net.connect(orders.sidecar.ports.peer, '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'close');
  expect(Buffer.concat(received).toString('latin1')).not.toContain('HTTP');
});

const HOUR_MS = 3_600_000;
const WEB = identityOf('web');
const issued = (options: IssueOptions = {}) => mesh.ca.issue(WEB, options);
const lastHour = () => ({ notBefore: Date.now() - 2 * HOUR_MS, notAfter: Date.now() - HOUR_MS });
const twoNames = [spiffeId(WEB), spiffeId(identityOf('admin'))];

test.each<[string, () => Partial<Credentials>]>([
  ['no certificate', () => ({})],
  ['a certificate of another authority', () => throwawayCa().issue(WEB)],
  ['an expired certificate', () => issued(lastHour())],
  ['one that is not valid yet', () => issued({ notBefore: Date.now() + HOUR_MS })],
  ['one without a SPIFFE ID', () => issued({ uris: [] })],
  ['one with two', () => issued({ uris: twoNames })],
  ['one with a host name beside it', () => issued({ dnsNames: ['web'] })],
  ['one of another trust domain', () => issued({ uris: ['spiffe://other/ns/default/web'] })],
  ['one that a workload signed', () => issued({ signedBy: mesh.ca.issue(identityOf('evil')) })],
  ['an authority as a workload', () => issued({ isCa: true })],
])('%s is not let in', async (_, credentials) => {
  await expect(rawPeer(orders.sidecar.ports.peer, credentials())).rejects.toThrow();
});

test('TLS 1.2 is not spoken', async () => {
  await expect(rawPeer(orders.sidecar.ports.peer, issued(), { maxVersion: 'TLSv1.2' })).rejects.toThrow();
});

test('a good certificate is let in, so that the refusals above mean something', async () => {
  const peer = await rawPeer(orders.sidecar.ports.peer, issued());
  peer.close();
});

test('a peer under another authority is peer-untrusted, which says what to do', async () => {
  const stranger = await mesh.start('stranger', { handler: echo, ca: throwawayCa() });
  const answer = await fetch(`${web.url}/v1.0/invoke/stranger/method/x`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('invoke-fault')).toBe('peer-untrusted');
  expect(await answer.text()).toContain('--sentry-address');
  await stranger.stop();
});

test('an address that passed to another app is refused, and another endpoint is tried', async () => {
  const ordersPeer = { host: '127.0.0.1', port: orders.sidecar.ports.peer };
  const webPeer = { host: '127.0.0.1', port: web.sidecar.ports.peer };
  mesh.point('moved', [ordersPeer]);
  const alone = await fetch(`${web.url}/v1.0/invoke/moved/method/x`);
  expect(alone.headers.get('invoke-fault')).toBe('peer-untrusted');

  mesh.point('orders', [webPeer, ordersPeer]);
  for (let i = 0; i < 4; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: `call ${i}` });
    expect(await answer.text()).toBe(`call ${i}`);
  }
});
