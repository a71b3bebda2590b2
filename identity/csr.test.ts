// A request must be acceptable to any authority, not to ours alone: openssl is the judge.
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeCsr } from './csr.ts';
import { publicKeyOfCsr } from './testing-sentry.ts';

function openssl(args: readonly string[], input: string): string {
  return execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'pipe'] }).toString();
}

/** Some versions say that a signature is wrong and still exit with 0. */
function verify(csrPem: string): string {
  const { stderr, status } = spawnSync('openssl', ['req', '-verify', '-noout'], { input: csrPem });
  return `${status} ${stderr.toString()}`;
}

test('openssl verifies the request: P-256, empty subject, no attributes', () => {
  const { csrPem } = makeCsr();
  expect(verify(csrPem)).toMatch(/^0 .*verify OK/);
  const text = openssl(['req', '-text', '-noout'], csrPem);
  expect(text).toContain('ASN1 OID: prime256v1');
  expect(text).toMatch(/Subject: *\n/);
  expect(text).toContain('(none)');
});

test('openssl finds no other encoding of it: what we write is DER', () => {
  const { csrPem } = makeCsr();
  expect(openssl(['req'], csrPem)).toBe(csrPem);
});

test('the request carries the public half of the key that comes with it', () => {
  const { csrPem, keyPem, publicKey } = makeCsr();
  expect(createPublicKey(keyPem).equals(publicKey)).toBe(true);
  expect(publicKeyOfCsr(csrPem).equals(publicKey)).toBe(true);
});

test('every request has a key of its own', () => {
  expect(makeCsr().publicKey.equals(makeCsr().publicKey)).toBe(false);
});

test('a signature or a key with leading zeros or a high first bit still verifies', () => {
  for (let i = 0; i < 20; i++) expect(verify(makeCsr().csrPem)).toMatch(/^0 .*verify OK/);
});
