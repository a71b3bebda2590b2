// Asking for a certificate over real sockets: what comes back, and what each thing that can go wrong is called.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseNamespace, parseSpiffeId } from '../api/ids.ts';
import { type Cancel, systemClock } from '../kit/clock.ts';
import { must, type Result } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { requestCertificate, type SentryEndpoint, type SentryFailure } from './sentry-client.ts';
import { type Credentials, sentryIdentity } from './svid.ts';
import { type IssueOptions, throwawayCa } from './testing.ts';
import { type FakeSentry, type FakeSentryOptions, signedBy, startFakeSentry } from './testing-sentry.ts';

const ca = throwawayCa();
const foreignCa = throwawayCa();
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const orders = must(parseSpiffeId('spiffe://cluster.local/ns/shop/orders'));
const sentry = sentryIdentity(web.trustDomain);

let directory = '';
let fakes: FakeSentry[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-identity-'));
});
afterEach(async () => {
  await Promise.all(fakes.map((fake) => fake.close()));
  fakes = [];
  rmSync(directory, { recursive: true });
});

async function fake(at: FakeSentryOptions['at'], answer: FakeSentryOptions['answer']): Promise<FakeSentry> {
  const started = await startFakeSentry({ at, answer });
  fakes.push(started);
  return started;
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function ask(endpoint: SentryEndpoint, clock = systemClock): Promise<Result<Credentials, SentryFailure>> {
  return new Promise((done) => requestCertificate(endpoint, web, { clock }, done));
}

/** The signer on a socket, asked once. */
async function askSocket(answer: FakeSentryOptions['answer']): Promise<Result<Credentials, SentryFailure>> {
  const path = join(directory, 'signer.sock');
  await fake(path, answer);
  return ask({ kind: 'socket', path });
}

/** A sentry over TLS whose clients trust `ca`. */
async function tlsEndpoint(credentials: Credentials, tokenFile?: string): Promise<[SentryEndpoint, FakeSentry]> {
  const { port, ...rest } = await fake(credentials, signedBy(ca));
  const trustAnchorsFile = file('anchors.crt', ca.anchors.join(''));
  return [
    { kind: 'tls', host: '127.0.0.1', port, trustAnchorsFile, tokenFile },
    { port, ...rest },
  ];
}

test('a signer on a socket: the certificate is ours, its key fits, and the anchors come with it', async () => {
  const { svid, anchors } = must(await askSocket(signedBy(ca)));
  const leaf = new X509Certificate(svid.chainPem);
  expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/web');
  expect(leaf.publicKey.equals(createPublicKey(createPrivateKey(svid.keyPem)))).toBe(true);
  expect([svid.notBefore, svid.notAfter]).toEqual([leaf.validFromDate.getTime(), leaf.validToDate.getTime()]);
  expect(anchors).toEqual(ca.anchors);
});

test('a sentry over TLS gets the token of this moment', async () => {
  const tokenFile = file('token', 'first\n');
  const [endpoint, { requests }] = await tlsEndpoint(ca.issue(sentry), tokenFile);
  must(await ask(endpoint));
  writeFileSync(tokenFile, 'second\n');
  must(await ask(endpoint));
  expect(requests.map(({ token, validator }) => [token, validator])).toEqual([
    ['first', 'jwks'],
    ['second', 'jwks'],
  ]);
});

test('in a pod the token goes to the kubernetes validator, and the sentry is known by the namespace it runs in', async () => {
  const elsewhere = must(parseNamespace('mesh'));
  const [endpoint, { requests }] = await tlsEndpoint(
    ca.issue(sentryIdentity(web.trustDomain, elsewhere)),
    file('token', 'projected\n'),
  );
  if (endpoint.kind !== 'tls') throw new Error('this endpoint is over TLS');
  must(await ask({ ...endpoint, tokenKind: 'kubernetes', sentryNamespace: elsewhere }));
  expect(requests.map(({ token, validator }) => [token, validator])).toEqual([['projected', 'kubernetes']]);
  expect(await ask({ ...endpoint, tokenKind: 'kubernetes' })).toMatchObject({
    ok: false,
    error: { kind: 'untrusted', message: expect.stringContaining('expected spiffe://cluster.local/ns/invoke-system/') },
  });
});

test('without a token file the insecure validator is asked', async () => {
  const [endpoint, { requests }] = await tlsEndpoint(ca.issue(sentry));
  must(await ask(endpoint));
  expect(requests.map(({ token, validator }) => [token, validator])).toEqual([['', 'insecure']]);
});

test('over TLS the anchors are those of the file, whatever the reply says', async () => {
  const { port } = await fake(ca.issue(sentry), (request) => {
    const answer = signedBy(ca)(request);
    if (answer.kind !== 'reply') return answer;
    return { kind: 'reply', reply: { ...answer.reply, anchors: foreignCa.anchors.map((a) => Buffer.from(a)) } };
  });
  const trustAnchorsFile = file('anchors.crt', ca.anchors.join(''));
  const issued = must(await ask({ kind: 'tls', host: '127.0.0.1', port, trustAnchorsFile, tokenFile: undefined }));
  expect(issued.anchors).toEqual(ca.anchors);
});

test.each([
  ['of another mesh', foreignCa.issue(sentry), /not to be trusted.*anchors\.crt/],
  ['that is some workload', ca.issue(orders), /not to be trusted.*expected .*invoke-sentry/],
])('a sentry %s never sees the token', async (_says, credentials, message) => {
  const [endpoint, { requests }] = await tlsEndpoint(credentials, file('token', 'secret'));
  const outcome = await ask(endpoint);
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'untrusted', message: expect.stringMatching(message) },
  });
  expect(requests).toEqual([]);
});

test("a refusal carries the authority's own words", async () => {
  const outcome = await askSocket(() => ({ kind: 'refusal', status: 7, message: 'no: ünknown pod, 100% sure' }));
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'refused', message: expect.stringContaining('refused: no: ünknown pod, 100% sure (grpc-status 7)') },
  });
});

test.each<[string, IssueOptions, RegExp]>([
  ['for another key', { publicKey: createPublicKey(ca.issue(web).svid.keyPem) }, /another key/],
  ['for another workload', { uris: ['spiffe://cluster.local/ns/shop/orders'] }, /for .*orders, not for .*web/],
  ['with two names', { uris: ['spiffe://cluster.local/ns/shop/web', 'spiffe://x/ns/a/b'] }, /not a SPIFFE ID/],
  ['that is an authority', { isCa: true }, /authority/],
  ['signed by a workload', { signedBy: ca.issue(orders) }, /does not lead to the trust anchors/],
  ['that has expired', { notAfter: Date.now() - 5000 }, /expired at .*clock here says/],
  ['of the future', { notBefore: Date.now() + 60_000 }, /not valid before .*clock here says/],
])('a certificate %s is not used', async (_says, options, message) => {
  const outcome = await askSocket(signedBy(ca, options));
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'untrusted', message: expect.stringMatching(message) },
  });
});

test('a chain that does not lead to the anchors is not used', async () => {
  const outcome = await askSocket((request) => {
    const answer = signedBy(ca)(request);
    if (answer.kind !== 'reply') return answer;
    return { kind: 'reply', reply: { ...answer.reply, anchors: foreignCa.anchors.map((a) => Buffer.from(a)) } };
  });
  expect(outcome).toMatchObject({ ok: false, error: { message: expect.stringContaining('trust anchors') } });
});

test.each([
  ['no certificate', { chain: Buffer.from('hello') }],
  ['a broken one', { chain: Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') }],
  ['no anchors', { anchors: [] }],
])('a reply with %s is a failure, not a crash', async (_says, change) => {
  const outcome = await askSocket((request) => {
    const answer = signedBy(ca)(request);
    return answer.kind === 'reply' ? { kind: 'reply', reply: { ...answer.reply, ...change } } : answer;
  });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'untrusted' } });
});

test('nobody there: says where, and what to do', async () => {
  const path = join(directory, 'nobody.sock');
  const outcome = await ask({ kind: 'socket', path });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
  expect(outcome.ok ? '' : outcome.error.message).toMatch(
    /nobody\.sock cannot be reached: connect ENOENT \S*nobody\.sock; check that it runs$/,
  );
});

test('files that cannot be read are named', async () => {
  const gone = join(directory, 'gone');
  const tls = { kind: 'tls', host: '127.0.0.1', port: 1, tokenFile: undefined } as const;
  for (const trustAnchorsFile of [gone, file('empty', '')]) {
    const outcome = await ask({ ...tls, trustAnchorsFile });
    expect(outcome).toMatchObject({
      ok: false,
      error: { kind: 'unreadable', message: expect.stringContaining(trustAnchorsFile) },
    });
  }
});

test('anchors may come from whoever watches them, who is asked anew each time', async () => {
  const [endpoint] = await tlsEndpoint(ca.issue(sentry));
  if (endpoint.kind !== 'tls') throw new Error('not over TLS');
  const { host, port, tokenFile } = endpoint;
  let held: string | undefined;
  const watched = {
    kind: 'tls',
    host,
    port,
    tokenFile,
    trustAnchors: { from: 'the bundle', read: () => held },
  } as const;
  expect(await ask(watched)).toEqual({
    ok: false,
    error: { kind: 'unreadable', message: 'there are no trust anchors in the bundle yet' },
  });
  held = ca.anchors.join('');
  expect((await ask(watched)).ok).toBe(true);
});

test('silence ends with the time given, and the connection with it', async () => {
  const clock = manualClock();
  const path = join(directory, 'signer.sock');
  const outcome = new Promise((done) => {
    void fake(path, () => {
      queueMicrotask(() => clock.advance(3000));
      return { kind: 'silence' };
    }).then(() => requestCertificate({ kind: 'socket', path }, web, { clock }, done));
  });
  expect(await outcome).toMatchObject({
    ok: false,
    error: { kind: 'unreachable', message: expect.stringContaining('no answer within 3000 ms') },
  });
  expect(clock.waiting()).toEqual([]);
});

test('what does not speak HTTP/2 is a failure, not a crash', async () => {
  const path = join(directory, 'web.sock');
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined).resume();
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((done) => server.listen(path, done));
  const outcome = await ask({ kind: 'socket', path });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
  await new Promise((done) => server.close(done));
});

test('an authority that hangs up before it answers was not reached', async () => {
  const path = join(directory, 'signer.sock');
  const server = net.createServer((socket) => socket.resume().end());
  await new Promise<void>((done) => server.listen(path, done));
  expect(await ask({ kind: 'socket', path })).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
  await new Promise((done) => server.close(done));
});

test('a cancelled request never calls back, and hangs up', async () => {
  const path = join(directory, 'signer.sock');
  let cancel: Cancel = () => undefined;
  const hungUp = new Promise<void>((done) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined).on('close', () => server.close(() => done()));
      socket.resume();
      cancel();
    });
    server.listen(path, () => {
      cancel = requestCertificate({ kind: 'socket', path }, web, { clock: systemClock }, () => {
        throw new Error('called back');
      });
    });
  });
  await hungUp;
});
