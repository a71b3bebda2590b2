// Trust between machines: two laptops with a CA each are strangers; with one CA, and tokens to prove themselves, they are
// not. And what a sidecar shows on the wire, as openssl sees it.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { startCli, throwawayFolder } from '../cli/testing.ts';
import { machine } from './machine.ts';

const HELLO = `
  import { createServer } from 'node:http';
  createServer((request, response) => response.end('hello, ' + request.headers['invoke-caller-id']))
    .listen(process.env.APP_PORT, '127.0.0.1');
`;

function listOf(app: string, port: number): readonly string[] {
  return ['--name-resolution', 'static', '--peer', `${app}=127.0.0.1:${port}`];
}

test('two machines with a CA each: the call is refused as peer-untrusted, which says what to do', async () => {
  const there = machine();
  const here = machine();
  const callee = await there.run('hello', HELLO);
  const caller = await here.sidecar('web', listOf('hello', callee.peerPort));
  const answer = await fetch(`${caller.url}/v1.0/invoke/hello/method/x`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('invoke-fault')).toBe('peer-untrusted');
  expect(await answer.text()).toContain('--sentry-address');
});

test('two machines with one CA: each proves itself with a token, and the call passes', async () => {
  const folder = throwawayFolder('ca');
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwksFile = join(folder, 'keys.json');
  writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] }));
  const tokenFor = async (app: string) => {
    const file = join(folder, `${app}.jwt`);
    const jwt = new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setExpirationTime('5m');
    const id = `spiffe://cluster.local/ns/default/${app}`;
    const audience = 'spiffe://cluster.local/ns/invoke-system/invoke-sentry';
    writeFileSync(file, await jwt.setSubject(id).setAudience(audience).sign(privateKey));
    return file;
  };

  const state = join(folder, 'state');
  const sentry = startCli(['sentry', '--state', state, '--listen', '127.0.0.1:0', '--jwks-file', jwksFile], {});
  await sentry.printed(/sidecars trust this authority/);
  const [, port = ''] = await sentry.printed(/host=127\.0\.0\.1 port=(\d+)/);
  const ca = ['--sentry-address', `127.0.0.1:${port}`, '--trust-anchors-file', join(state, 'trust-anchors.crt')];

  const callee = await machine().run('hello', HELLO, [...ca, '--token-file', await tokenFor('hello')]);
  const names = listOf('hello', callee.peerPort);
  const caller = await machine().sidecar('web', [...ca, '--token-file', await tokenFor('web'), ...names]);
  const answer = await fetch(`${caller.url}/v1.0/invoke/hello/method/x`);
  expect(await answer.text()).toBe('hello, spiffe://cluster.local/ns/default/web');

  // A token for one app is no proof of another.
  const thief = machine().invokectl(
    'sidecar',
    '-a',
    'admin',
    '-H',
    '0',
    '-M',
    '0',
    ...ca,
    '--token-file',
    await tokenFor('web'),
  );
  await thief.printed(/admin/);
  await sentry.printed(/refused/);
  expect(thief.stdout() + thief.stderr()).not.toContain('certificate received');
});

test('openssl sees TLS 1.3, a leaf and an issuer that chain to the root, and one SPIFFE ID', async () => {
  const laptop = machine();
  const callee = await laptop.run('hello', HELLO);
  const root = join(laptop.home, 'ca/root.crt');
  expect(readFileSync(root, 'utf8')).toContain('BEGIN CERTIFICATE');
  const address = `127.0.0.1:${callee.peerPort}`;
  const seen = await openssl(['s_client', '-connect', address, '-CAfile', root, '-showcerts', '-alpn', 'h2']);
  expect(seen).toContain('TLSv1.3');
  expect(seen).toContain('Verify return code: 0 (ok)');
  expect(seen.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  const leaf = await openssl(['x509', '-noout', '-text'], seen);
  expect(leaf).toContain('URI:spiffe://cluster.local/ns/default/hello');
  expect(leaf).toContain('CA:FALSE');
  expect(leaf).toContain('NIST CURVE: P-256');
});

/** What openssl prints. A handshake that the server refuses in the end, for want of a client certificate, is no failure. */
async function openssl(args: readonly string[], input = ''): Promise<string> {
  const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.end(input);
  return Buffer.concat(await child.stdout.toArray()).toString();
}
