// What leaves the authority, as two other implementations read it: openssl and the platform's own.
import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { readCertificates } from '../../identity/chain.ts';
import { makeCsr } from '../../identity/csr.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { processes } from '../../kit/testing/processes.ts';
import { type Authority, openAuthority } from '../authority/authority.ts';
import { checkWorkloadCertificate } from './check.ts';
import { signCertificate } from './sign.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const DAY_MS = 24 * 3_600_000;
const now = Date.now();
let directory = '';
let authority: Authority;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-sign-'));
  const options = { directory, trustDomain: web.trustDomain, clock: systemClock, processes, log: silentLog };
  authority = must(await openAuthority(options));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function issue(csrPem: string, { at = now, ttlMs = DAY_MS } = {}) {
  const { reply, serial } = must(await signCertificate(authority, Buffer.from(csrPem), web, at, ttlMs));
  const chain = must(readCertificates(reply.chain.toString()));
  const [leaf, issuer] = chain;
  if (!leaf || !issuer || chain.length !== 2) throw new Error('the chain is not leaf and issuer');
  return { leaf, issuer, reply, serial };
}

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { cwd: directory }).toString();
}

test('openssl verifies the chain for both ends of a connection, by the rules of X.509 to the letter', async () => {
  const { leaf, issuer } = await issue(makeCsr().csrPem);
  writeFileSync(join(directory, 'leaf.pem'), leaf.toString());
  writeFileSync(join(directory, 'untrusted.pem'), issuer.toString());
  for (const purpose of ['sslserver', 'sslclient']) {
    const strict = ['-x509_strict', '-purpose', purpose];
    const verdict = openssl('verify', ...strict, '-CAfile', 'root.crt', '-untrusted', 'untrusted.pem', 'leaf.pem');
    expect(verdict).toContain('leaf.pem: OK');
  }
});

test('openssl reads in the leaf what a workload is given and nothing else', async () => {
  const { leaf, serial } = await issue(makeCsr().csrPem);
  writeFileSync(join(directory, 'leaf.pem'), leaf.toString());
  const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
  for (const part of [
    /Subject: *\n/,
    /Signature Algorithm: ecdsa-with-SHA256/,
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/web\n/,
    /Basic Constraints: critical\s+CA:FALSE\n/,
    /Key Usage: critical\s+Digital Signature\n/,
    /Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
    /Authority Key Identifier/,
  ]) {
    expect(text).toMatch(part);
  }
  expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

test('openssl reads the authorities: their trust domain, their depth, and that they sign only certificates', () => {
  const text = (file: string) => openssl('x509', '-in', file, '-noout', '-text');
  for (const file of ['root.crt', 'issuer.crt']) {
    expect(text(file)).toMatch(/URI:spiffe:\/\/cluster\.local\n/);
    expect(text(file)).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  }
  expect(text('root.crt')).toMatch(/CA:TRUE, pathlen:1\n/);
  expect(text('issuer.crt')).toMatch(/CA:TRUE, pathlen:0\n/);
});

test('what a request says beside its key is ignored', async () => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=admin',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://cluster.local/ns/shop/admin' }]),
      new BasicConstraintsExtension(true),
    ],
  });
  const { leaf } = await issue(request.toString('pem'));
  expect([leaf.subjectAltName, leaf.ca, leaf.subject]).toEqual([
    'URI:spiffe://cluster.local/ns/shop/web',
    false,
    undefined,
  ]);
});

test('the key is that of the request, the dates those of the order, and no two serials are alike', async () => {
  const { csrPem, publicKey } = makeCsr();
  const { leaf, reply } = await issue(csrPem);
  const { leaf: other } = await issue(csrPem);
  const second = Math.floor(now / 1000) * 1000;
  expect(leaf.publicKey.equals(publicKey)).toBe(true);
  expect(leaf.validFromDate.getTime()).toBe(second - 60_000);
  expect(leaf.validToDate.getTime()).toBe(second + DAY_MS);
  expect(reply.validUntil).toBe(second + DAY_MS);
  expect(reply.anchors.map(String)).toEqual([authority.anchorsPem]);
  expect(leaf.serialNumber).not.toBe(other.serialNumber);
});

test('a life shorter than 10 s is made 10 s', async () => {
  const { leaf } = await issue(makeCsr().csrPem, { ttlMs: 1 });
  expect(leaf.validToDate.getTime()).toBe(Math.floor(now / 1000) * 1000 + 10_000);
});

test('a certificate never outlives its issuer', async () => {
  const { leaf, issuer } = await issue(makeCsr().csrPem, { ttlMs: 1000 * DAY_MS });
  expect(leaf.validToDate).toEqual(issuer.validToDate);
});

test('the last look finds every way in which a certificate can be wrong', async () => {
  const { csrPem, publicKey } = makeCsr();
  const { leaf, issuer } = await issue(csrPem);
  const root = authority.root;
  const dates = { notBefore: leaf.validFromDate.getTime(), notAfter: leaf.validToDate.getTime() };
  const intended = { identity: web, publicKey, issuer, root, ...dates };
  const check = (change: Partial<typeof intended>, pem = leaf.toString()) =>
    checkWorkloadCertificate(pem, { ...intended, ...change });
  expect(check({}).ok).toBe(true);
  const other = must(parseSpiffeId('spiffe://cluster.local/ns/shop/other'));
  expect(check({ identity: other })).toMatchObject({ error: expect.stringContaining('proven identity') });
  expect(check({ publicKey: makeCsr().publicKey })).toMatchObject({ error: expect.stringContaining('key') });
  expect(check({ issuer: root })).toMatchObject({ error: expect.stringContaining('signed by the issuer') });
  expect(check({ root: issuer })).toMatchObject({ error: expect.stringContaining('chains to the root') });
  expect(check({ notAfter: dates.notAfter + 1000 })).toMatchObject({ error: expect.stringContaining('ends when') });
  expect(check({ notBefore: dates.notBefore - 1000 })).toMatchObject({ error: expect.stringContaining('begins') });
  const asAuthority = { publicKey: createPublicKey(issuer.publicKey.export({ type: 'spki', format: 'pem' })) };
  expect(check(asAuthority, issuer.toString())).toMatchObject({ error: expect.stringContaining('is no authority') });
  expect(new X509Certificate(leaf.toString()).fingerprint256).toBe(leaf.fingerprint256);
});
