// The authority as its clients meet it: over its socket and over TLS, with the identity source that sidecars use.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Identity, parseSpiffeId, spiffeId } from '../api/ids.ts';
import { encodeSignRequest, SIGN_CERTIFICATE_PATH } from '../api/proto/sentry.ts';
import { makeCsr } from '../identity/csr.ts';
import { requestCertificate, type SentryEndpoint, type SentryFailure } from '../identity/sentry-client.ts';
import { startIdentity } from '../identity/source.ts';
import { type Credentials, sentryIdentity } from '../identity/svid.ts';
import { throwawayCa } from '../identity/testing.ts';
import { anonymousClientOptions, clientOptions, peerIdentity, serverContext } from '../identity/tls.ts';
import { callUnary, type UnaryFailure } from '../identity/unary.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import { createLog, type Log, silentLog } from '../kit/log.ts';
import { must, type Result } from '../kit/result.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { processes } from '../kit/testing/processes.ts';
import type { SentryConfig } from './config.ts';
import { type Sentry, type StartFailure, startSentry } from './sentry.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const orders = must(parseSpiffeId('spiffe://cluster.local/ns/shop/orders'));
const DAY_MS = 24 * 3_600_000;
const LOOPBACK = { host: '127.0.0.1', port: 0 };

let parent = '';
let running: Sentry[] = [];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'invoke-sentry-'));
});
afterEach(async () => {
  await Promise.all(running.map((sentry) => sentry.stop()));
  running = [];
  rmSync(parent, { recursive: true });
});

const socketPath = () => join(parent, 'run', 'sentry.sock');

async function start(
  change: Partial<SentryConfig> = {},
  { clock = systemClock, log = silentLog }: { clock?: Clock; log?: Log } = {},
): Promise<Result<Sentry, StartFailure>> {
  const stateDirectory = join(parent, 'state');
  const validators = { insecure: true };
  const config = { stateDirectory, trustDomain: web.trustDomain, workloadCertTtlMs: DAY_MS, validators, ...change };
  const started = await startSentry(config, { clock, processes, log });
  if (started.ok) running.push(started.value);
  return started;
}

function ask(endpoint: SentryEndpoint, identity: Identity = web): Promise<Result<Credentials, SentryFailure>> {
  return new Promise((done) => requestCertificate(endpoint, identity, { clock: systemClock }, done));
}

function overTls(sentry: Sentry, tokenFile?: string): SentryEndpoint & { kind: 'tls' } {
  const port = sentry.listening.tls?.port ?? 0;
  return { kind: 'tls', host: '127.0.0.1', port, trustAnchorsFile: sentry.trustAnchorsFile, tokenFile };
}

test('a client on the socket gets a certificate; the socket is for its owner alone', async () => {
  must(await start({ socketPath: socketPath() }));
  const issued = must(await ask({ kind: 'socket', path: socketPath() }));
  expect(issued.svid.identity).toEqual(web);
  expect(statSync(socketPath()).mode & 0o777).toBe(0o600);
  expect(statSync(join(parent, 'run')).mode & 0o777).toBe(0o700);
});

test('a client over TLS needs the anchors that lie in the state directory', async () => {
  const sentry = must(await start({ listen: LOOPBACK }));
  must(await ask(overTls(sentry)));
  const foreignAnchors = join(parent, 'foreign.crt');
  writeFileSync(foreignAnchors, throwawayCa().anchors.join(''));
  const outcome = await ask({ ...overTls(sentry), trustAnchorsFile: foreignAnchors });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'untrusted' } });
});

test('two workloads with certificates of one sentry meet; each knows the other', async () => {
  must(await start({ socketPath: socketPath() }));
  const endpoint = { kind: 'socket', path: socketPath() } as const;
  const [caller, callee] = [must(await ask(endpoint, web)), must(await ask(endpoint, orders))];
  const greeted = new Promise((settle) => {
    const server = tls.createServer(serverContext(callee), (socket) => {
      settle(peerIdentity(socket, web.trustDomain, Date.now()));
      socket.destroy();
      server.close();
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      const expected = { identity: orders, now: Date.now };
      tls.connect({ host: '127.0.0.1', port, ...clientOptions(caller, expected) }).on('error', () => undefined);
    });
  });
  expect(await greeted).toMatchObject({ ok: true, value: { identity: web } });
});

test('after a restart the same root signs, and old anchors still hold', async () => {
  const first = must(await start({ listen: LOOPBACK }));
  const anchors = readFileSync(first.trustAnchorsFile, 'utf8');
  await first.stop();
  const second = must(await start({ listen: LOOPBACK }));
  expect(must(await ask(overTls(second))).anchors.join('')).toBe(anchors);
});

test('the refusal that a client reads is the one that the audit log holds', async () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line), now: Date.now });
  must(await start({ socketPath: socketPath() }, { log }));
  const endpoint = { kind: 'socket', path: socketPath() } as const;
  const outcome = await ask(endpoint, sentryIdentity(web.trustDomain));
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'refused' } });
  expect(outcome.ok ? '' : outcome.error.message).toMatch(/refused: .*kept for the control plane \(grpc-status 7\)/);
  const { svid } = must(await ask(endpoint));
  const entries = lines.map((line) => JSON.parse(line));
  expect(entries.filter(({ message }) => message === 'certificate refused')).toMatchObject([
    { asked: 'invoke-system/invoke-sentry', validator: 'insecure', reason: expect.stringContaining('control plane') },
  ]);
  expect(entries.filter(({ message }) => message === 'certificate issued')).toMatchObject([
    {
      identity: spiffeId(web),
      validator: 'insecure',
      serial: expect.stringMatching(/^[0-9A-F]{32}$/),
      notAfter: new Date(svid.notAfter).toISOString(),
    },
  ]);
});

/** The raw method, for requests that our own client does not make. */
function callRaw(message: Buffer): Promise<Result<Buffer, UnaryFailure>> {
  return new Promise((done) => {
    const connect = () => net.connect({ path: socketPath(), allowHalfOpen: true });
    const rest = {
      scheme: 'http',
      authority: 'localhost',
      path: SIGN_CERTIFICATE_PATH,
      timeoutMs: 5000,
      clock: systemClock,
    } as const;
    callUnary({ connect, message, ...rest }, done);
  });
}

test('what cannot be read is an invalid argument, and what is too large is not read', async () => {
  must(await start({ socketPath: socketPath() }));
  const request = {
    appId: 'web',
    namespace: 'shop',
    trustDomain: 'cluster.local',
    token: '',
    validator: 'insecure',
  } as const;
  const garbage = await callRaw(Buffer.from([0xff, 0xff]));
  expect(garbage).toMatchObject({ ok: false, error: { kind: 'status', status: 3 } });
  const noCsr = await callRaw(encodeSignRequest({ ...request, csr: Buffer.from('-----') }));
  expect(noCsr).toMatchObject({ ok: false, error: { status: 3, message: expect.stringContaining('PEM') } });
  const flood = await callRaw(encodeSignRequest({ ...request, csr: Buffer.alloc(41 * 1024) }));
  expect(flood).toMatchObject({ ok: false, error: { status: 8 } });
  const fine = await callRaw(encodeSignRequest({ ...request, csr: Buffer.from(makeCsr().csrPem) }));
  expect(fine.ok).toBe(true);
});

test('a token proves who asks over TLS, and only to whom the token says', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const path = join(parent, 'jwks.json');
  writeFileSync(path, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const validators = { insecure: false, jwks: { keys: { kind: 'file', path } } } as const;
  const sentry = must(await start({ listen: LOOPBACK, validators }));
  const tokenFile = join(parent, 'token');
  const claims = { sub: spiffeId(web), aud: spiffeId(sentryIdentity(web.trustDomain)) };
  const token = new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).setExpirationTime('1m');
  writeFileSync(tokenFile, `${await token.sign(privateKey)}\n`);
  expect(must(await ask(overTls(sentry, tokenFile))).svid.identity).toEqual(web);
  expect(await ask(overTls(sentry, tokenFile), orders)).toMatchObject({
    ok: false,
    error: { kind: 'refused', message: expect.stringContaining('claim "sub"') },
  });
  expect(await ask(overTls(sentry))).toMatchObject({
    ok: false,
    error: { kind: 'refused', message: expect.stringContaining('"insecure" is not enabled') },
  });
});

/** The next value of a source; the clock stands still until then. */
function nextCredentials(source: ReturnType<typeof startIdentity>): Promise<Credentials | undefined> {
  return new Promise((settle) => {
    const cancel = source.credentials.changed((value) => {
      cancel();
      settle(value);
    });
  });
}

function keep(endpoint: SentryEndpoint, clock: ManualClock) {
  const { app: appId, namespace, trustDomain } = web;
  return startIdentity({ endpoint, appId, namespace, trustDomain, clock, random: () => 0.5, log: silentLog });
}

test.each<[string, (sentry: Sentry) => SentryEndpoint]>([
  ['a socket', () => ({ kind: 'socket', path: socketPath() })],
  ['TLS', (sentry) => overTls(sentry)],
])('over %s an identity source is renewed at half of a short life, with a new key', async (_says, endpoint) => {
  const clock = manualClock();
  const short = { socketPath: socketPath(), listen: LOOPBACK, workloadCertTtlMs: 60_000 };
  const sentry = must(await start(short, { clock }));
  const source = keep(endpoint(sentry), clock);
  const first = await nextCredentials(source);
  const renewed = nextCredentials(source);
  clock.advance(30_000);
  const second = await renewed;
  expect(second?.svid.notAfter).toBe((first?.svid.notAfter ?? 0) + 30_000);
  expect(second?.svid.keyPem).not.toBe(first?.svid.keyPem);
  source.stop();
});

test("the sentry's own certificate is renewed in place: a client that comes later sees the new one", async () => {
  const clock = manualClock();
  const sentry = must(await start({ listen: LOOPBACK, workloadCertTtlMs: 60_000 }, { clock }));
  const own = sentryIdentity(web.trustDomain);
  const shown = async () => {
    const anchors = [readFileSync(sentry.trustAnchorsFile, 'utf8')];
    const options = anonymousClientOptions(anchors, { identity: own, now: clock.now });
    const socket = tls.connect({ host: '127.0.0.1', port: sentry.listening.tls?.port ?? 0, ...options });
    await new Promise((done, fail) => socket.once('secureConnect', done).once('error', fail));
    const serial = socket.getPeerX509Certificate()?.serialNumber;
    socket.destroy();
    return serial;
  };
  const before = await shown();
  expect(await shown()).toBe(before);
  clock.advance(31_000);
  await expect.poll(shown, { interval: 5, timeout: 10_000 }).not.toBe(before);
});

test('a socket that is served is left to whoever serves it', async () => {
  must(await start({ socketPath: socketPath() }));
  expect(await start({ socketPath: socketPath() })).toMatchObject({ ok: false, error: { kind: 'already-served' } });
  must(await ask({ kind: 'socket', path: socketPath() }));
});

test('of two that start at once, one serves and the other says so', async () => {
  const outcomes = await Promise.all([start({ socketPath: socketPath() }), start({ socketPath: socketPath() })]);
  expect(outcomes.map((outcome) => (outcome.ok ? 'serves' : outcome.error.kind)).sort()).toEqual([
    'already-served',
    'serves',
  ]);
  must(await ask({ kind: 'socket', path: socketPath() }));
});

test('a socket that a dead process left behind is replaced; a file of another kind is not', async () => {
  const first = must(await start({ socketPath: socketPath() }));
  // A listener whose file is moved aside and back survives its own close, like that of a process that was killed.
  renameSync(socketPath(), `${socketPath()}.aside`);
  await first.stop();
  renameSync(`${socketPath()}.aside`, socketPath());
  const second = must(await start({ socketPath: socketPath() }));
  must(await ask({ kind: 'socket', path: socketPath() }));
  await second.stop();
  writeFileSync(socketPath(), 'precious');
  const outcome = await start({ socketPath: socketPath() });
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'listen', message: expect.stringContaining('another kind') },
  });
  expect(readFileSync(socketPath(), 'utf8')).toBe('precious');
});

test('a port that is taken is named, and what was opened before is closed again', async () => {
  const first = must(await start({ listen: LOOPBACK }));
  const port = first.listening.tls?.port ?? 0;
  const outcome = await start({ socketPath: socketPath(), listen: { host: '127.0.0.1', port } });
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'listen', message: expect.stringContaining(`127.0.0.1:${port}`) },
  });
  expect(await ask({ kind: 'socket', path: socketPath() })).toMatchObject({
    ok: false,
    error: { kind: 'unreachable' },
  });
});

test.each<[string, Partial<SentryConfig>, RegExp]>([
  ['insecure for the network', { listen: { host: '0.0.0.0', port: 0 } }, /anybody who reaches 0\.0\.0\.0/],
  ['insecure for the network, IPv6', { listen: { host: '::', port: 0 } }, /anybody who reaches ::/],
  ['nothing to listen on', {}, /nothing to listen on/],
  ['no validator', { listen: LOOPBACK, validators: { insecure: false } }, /--jwks-file or --jwks-url/],
  ['too short a life', { listen: LOOPBACK, workloadCertTtlMs: 9999 }, /at least 10s/],
  [
    'keys over plain HTTP',
    {
      listen: LOOPBACK,
      validators: { insecure: false, jwks: { keys: { kind: 'url', url: new URL('http://keys/') } } },
    },
    /https/,
  ],
])('%s is refused before anything is opened', async (_says, change, message) => {
  const outcome = await start(change);
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'config', message: expect.stringMatching(message) } });
  expect(() => statSync(join(parent, 'state'))).toThrow();
});

test.each<[string, string | undefined, RegExp]>([
  ['are not there', undefined, /there is no such file/],
  ['are not JSON', 'keys', /it is not JSON/],
  ['are JSON and no JWK Set', '{"kty": "EC"}', /no JWK Set; a JWK Set is {"keys"/],
  ['are null', 'null', /no JWK Set/],
])('keys that %s are refused before anything is opened, with the file and the reason', async (_says, text, reason) => {
  const path = join(parent, 'keys.json');
  if (text !== undefined) writeFileSync(path, text);
  const outcome = await start({
    listen: LOOPBACK,
    validators: { insecure: false, jwks: { keys: { kind: 'file', path } } },
  });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'config', message: expect.stringMatching(reason) } });
  expect(outcome.ok ? '' : outcome.error.message).toContain(path);
  expect(() => statSync(join(parent, 'state'))).toThrow();
});

test('a damaged state is refused as such', async () => {
  const sentry = must(await start({ listen: LOOPBACK }));
  await sentry.stop();
  rmSync(join(parent, 'state', 'root.key'));
  expect(await start({ listen: LOOPBACK })).toMatchObject({
    ok: false,
    error: { kind: 'state', message: expect.stringContaining('root.key') },
  });
});

test('health is answered over plain HTTP, and stopping frees every address', async () => {
  const sentry = must(await start({ socketPath: socketPath(), listen: LOOPBACK, health: LOOPBACK }));
  const url = `http://127.0.0.1:${sentry.listening.health?.port}`;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/other`)).status).toBe(404);
  await sentry.stop();
  await sentry.stop();
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  expect(await ask(overTls(sentry))).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
  expect(() => statSync(socketPath())).toThrow();
});

test('a connection has room for two requests at once: what a client begins and never ends has to be held', async () => {
  must(await start({ socketPath: socketPath() }));
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath()) });
  const [{ maxConcurrentStreams }] = await once(session, 'remoteSettings');
  expect(maxConcurrentStreams).toBe(2);
  session.destroy();
});

test('an idle client does not keep the sentry from stopping', async () => {
  const sentry = must(await start({ socketPath: socketPath() }));
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath()) });
  session.on('error', () => undefined);
  await new Promise((done) => session.once('remoteSettings', done));
  const closed = new Promise((done) => session.once('close', done));
  await sentry.stop();
  await closed;
});
