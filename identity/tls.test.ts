// Who gets through a handshake, with real sockets on both ends and every wrong kind of peer.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { parseSpiffeId } from '../api/ids.ts';
import { must } from '../kit/result.ts';
import type { Credentials } from './svid.ts';
import { type IssueOptions, throwawayCa } from './testing.ts';
import { classifyTlsError, clientOptions, peerIdentity, readPeerCertificate, serverContext } from './tls.ts';

const ca = throwawayCa();
const foreignCa = throwawayCa();
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const orders = must(parseSpiffeId('spiffe://cluster.local/ns/shop/orders'));
const HOUR_MS = 3_600_000;

type Ending = { readonly socket: TLSSocket } | { readonly error: Error };
interface Meeting {
  /** What the client met: a socket that carried the server's greeting, or the error. */
  readonly client: Ending;
  /** Whom the server takes the client for; undefined: no client got through. */
  readonly caller: ReturnType<typeof peerIdentity> | undefined;
}

/** One server, one client, one handshake; the server greets whom it accepts. All is closed afterwards. */
async function meet(server: Credentials, options: tls.ConnectionOptions): Promise<Meeting> {
  let caller: Meeting['caller'];
  const listener = tls.createServer(serverContext(server), (socket) => {
    caller = peerIdentity(socket, web.trustDomain, Date.now());
    socket.on('error', () => undefined);
    socket.end('welcome');
  });
  listener.on('tlsClientError', () => undefined);
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const socket = tls.connect({ host: '127.0.0.1', port: (listener.address() as AddressInfo).port, ...options });
  const client = await new Promise<Ending>((settle) => {
    socket.once('data', () => settle({ socket }));
    socket.once('error', (error) => settle({ error }));
    socket.once('end', () => settle({ error: new Error('closed without a greeting') }));
  });
  socket.destroy();
  await new Promise((done) => listener.close(done));
  return { client, caller };
}

function expecting(credentials: Credentials, identity = orders): tls.ConnectionOptions {
  return clientOptions(credentials, { identity, now: Date.now });
}

function outcome({ client }: Meeting): string {
  return 'socket' in client ? 'through' : `${classifyTlsError(client.error)}: ${client.error.message}`;
}

test('two workloads of one mesh meet, and each knows the other', async () => {
  const { client, caller } = await meet(ca.issue(orders), expecting(ca.issue(web)));
  expect(caller).toMatchObject({ ok: true, value: { identity: web } });
  expect('socket' in client && client.socket.authorized).toBe(true);
});

test('the protocol is TLS 1.3, and h2 is agreed on', async () => {
  const listener = tls.createServer(serverContext(ca.issue(orders)));
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = tls.connect({ host: '127.0.0.1', port, ...expecting(ca.issue(web)) });
  await once(socket, 'secureConnect');
  expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'h2']);
  socket.destroy();
  const old = tls.connect({
    host: '127.0.0.1',
    port,
    ...expecting(ca.issue(web)),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  listener.on('tlsClientError', () => undefined);
  const [error] = await once(old, 'error');
  expect(error.code).toContain('PROTOCOL_VERSION');
  await new Promise((done) => listener.close(done));
});

const past = { notBefore: Date.now() - 2 * HOUR_MS, notAfter: Date.now() - HOUR_MS };
const future = { notBefore: Date.now() + HOUR_MS, notAfter: Date.now() + 2 * HOUR_MS };

test.each<[string, Credentials, RegExp]>([
  ['of another mesh with the same names', foreignCa.issue(orders), /^untrusted/],
  ['whose certificate has expired', ca.issue(orders, past), /^untrusted: .*expired/],
  ['whose certificate is not yet valid', ca.issue(orders, future), /^untrusted: .*not yet valid/],
  ['who is somebody else', ca.issue(web), /^untrusted: expected .*orders, but .*shop\/web/],
  ['without a name', ca.issue(orders, { uris: [] }), /^untrusted: .*no SPIFFE ID/],
  [
    'with two names',
    ca.issue(orders, { uris: ['spiffe://cluster.local/ns/shop/orders', 'spiffe://cluster.local/ns/shop/web'] }),
    /^untrusted: .*is not a SPIFFE ID/,
  ],
  ['with a DNS name first', ca.issue(orders, { dnsNames: ['orders'] }), /^untrusted: .*no SPIFFE ID/],
  ['that is an authority', ca.issue(orders, { isCa: true }), /^untrusted: .*authority/],
  ['signed by a mere workload', ca.issue(orders, { signedBy: ca.issue(web) }), /^untrusted: .*certificate signing/],
])('a client refuses a server %s', async (_says, server, expected) => {
  const meeting = await meet(server, expecting(ca.issue(web)));
  expect(outcome(meeting)).toMatch(expected);
});

test.each<[string, Credentials]>([
  ['of another mesh', foreignCa.issue(web)],
  ['whose certificate has expired', ca.issue(web, past)],
  ['signed by a mere workload', ca.issue(web, { signedBy: ca.issue(orders) })],
])('a server lets no client through %s', async (_says, client) => {
  const meeting = await meet(ca.issue(orders), { ...expecting(client), ca: [...ca.anchors] });
  expect(meeting.caller).toBeUndefined();
  expect('error' in meeting.client).toBe(true);
});

test('a client without a certificate learns that one is required', async () => {
  const { cert: _cert, key: _key, ...anonymous } = expecting(ca.issue(web));
  const meeting = await meet(ca.issue(orders), anonymous);
  expect(meeting.caller).toBeUndefined();
  expect(outcome(meeting)).toMatch(/^untrusted/);
});

test.each<[string, IssueOptions, RegExp]>([
  ['without a name', { uris: [] }, /no SPIFFE ID/],
  ['with two names', { uris: ['spiffe://cluster.local/ns/shop/web', 'spiffe://cluster.local/ns/x/y'] }, /SPIFFE ID/],
  ['of another trust domain', { uris: ['spiffe://other/ns/shop/web'] }, /outside of our trust domain/],
  ['that is an authority', { isCa: true }, /authority/],
  ['with a path of its own making', { uris: ['spiffe://cluster.local/ns/shop/web/extra'] }, /not a SPIFFE ID/],
  ['in upper case', { uris: ['spiffe://cluster.local/ns/shop/WEB'] }, /not a SPIFFE ID/],
])('a chain that verifies is not enough: a client %s has no identity', async (_says, options, reason) => {
  const { caller } = await meet(ca.issue(orders), expecting(ca.issue(web, options)));
  expect(caller).toMatchObject({ ok: false, error: expect.stringMatching(reason) });
});

test('dates are judged by our own clock too, and the message shows both times', () => {
  const { svid } = ca.issue(web);
  const certificate = new X509Certificate(svid.chainPem);
  const at = (now: number) => readPeerCertificate(certificate, web.trustDomain, now);
  expect(at(svid.notAfter - 1)).toMatchObject({ ok: true, value: { notAfter: svid.notAfter } });
  const late = at(svid.notAfter);
  expect(late).toMatchObject({ ok: false });
  for (const part of ['expired', 'clock', new Date(svid.notAfter).toISOString()]) {
    expect(late.ok ? '' : late.error).toContain(part);
  }
  expect(at(svid.notBefore - 1)).toMatchObject({ ok: false, error: expect.stringContaining('not valid before') });
});

test('a session is never resumed', async () => {
  const listener = tls.createServer(serverContext(ca.issue(orders)), (socket) => socket.end('welcome'));
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const { port } = listener.address() as AddressInfo;
  let session: Buffer | undefined;
  for (let round = 0; round < 2; round++) {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      ...expecting(ca.issue(web)),
      ...(session ? { session } : {}),
    });
    socket.resume();
    await once(socket, 'end');
    expect(socket.isSessionReused()).toBe(false);
    session = socket.getSession();
    socket.destroy();
  }
  await new Promise((done) => listener.close(done));
});

test('after a renewal the same server shows the new certificate', async () => {
  const listener = tls.createServer(serverContext(ca.issue(orders)), (socket) => socket.end('welcome'));
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const renewed = ca.issue(orders);
  listener.setSecureContext(serverContext(renewed));
  const { port } = listener.address() as AddressInfo;
  const socket = tls.connect({ host: '127.0.0.1', port, ...expecting(ca.issue(web)) });
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate();
  expect(shown?.fingerprint256).toBe(new X509Certificate(renewed.svid.chainPem).fingerprint256);
  socket.destroy();
  await new Promise((done) => listener.close(done));
});

test('nobody listening is unreachable, not untrusted', async () => {
  const spare = net.createServer();
  await once(spare.listen(0, '127.0.0.1'), 'listening');
  const { port } = spare.address() as AddressInfo;
  await new Promise((done) => spare.close(done));
  const socket = tls.connect({ host: '127.0.0.1', port, ...expecting(ca.issue(web)) });
  const [error] = await once(socket, 'error');
  expect(classifyTlsError(error)).toBe('unreachable');
});

test('a cause deeper down counts', () => {
  const inner = Object.assign(new Error('no'), { code: 'CERT_HAS_EXPIRED' });
  expect(classifyTlsError(new Error('outer', { cause: inner }))).toBe('untrusted');
  expect(classifyTlsError('not even an error')).toBe('unreachable');
});
