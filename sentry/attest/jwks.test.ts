// Tokens, good and bad, made with real keys.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSpiffeId, spiffeId } from '../../api/ids.ts';
import { createLog, type Log, silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { jwksValidator } from './jwks.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const AUDIENCE = 'spiffe://cluster.local/ns/invoke-system/invoke-sentry';
const clock = manualClock();
const nowSec = Math.floor(clock.now() / 1000);
const good: JWTPayload = {
  sub: spiffeId(web),
  aud: AUDIENCE,
  iss: 'https://issuer',
  exp: nowSec + 60,
  nbf: nowSec - 1,
};

let directory = '';
let path = '';
let key: CryptoKey;
let otherKey: CryptoKey;
let publicJwk: Record<string, unknown>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-jwks-'));
  path = join(directory, 'keys.json');
  const pair = await generateKeyPair('ES256', { extractable: true });
  key = pair.privateKey;
  otherKey = (await generateKeyPair('ES256')).privateKey;
  publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' };
  writeFileSync(path, JSON.stringify({ keys: [publicJwk] }));
});
afterAll(() => rmSync(directory, { recursive: true }));

const token = (claims: JWTPayload, by = key, kid = 'one') =>
  new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(by);

/** What is held against a token; undefined where it proves the identity that is asked for. */
async function doubt(text: string, change: { issuer?: string; audience?: string; path?: string; log?: Log } = {}) {
  const { issuer, audience, log = silentLog } = change;
  const config = { keys: { kind: 'file', path: change.path ?? path }, issuer, audience } as const;
  const validate = jwksValidator(config, AUDIENCE, clock, log);
  const outcome = await validate({ identity: web, token: text, origin: 'network' });
  if (!outcome.ok) return outcome.error.reason;
  expect(outcome.value).toEqual({ identity: web });
  return undefined;
}

test('a token for the identity that is asked for is proof', async () => {
  expect(await doubt(await token(good))).toBeUndefined();
  expect(await doubt(await token(good), { issuer: 'https://issuer' })).toBeUndefined();
  expect(await doubt(await token({ ...good, aud: ['others', AUDIENCE] }))).toBeUndefined();
  expect(await doubt(await token({ ...good, aud: 'mine' }), { audience: 'mine' })).toBeUndefined();
});

test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
  ['for another audience', { ...good, aud: 'others' }, /claim "aud" does not fit/],
  ['for another subject', { ...good, sub: 'spiffe://cluster.local/ns/shop/orders' }, /claim "sub" does not fit/],
  ['for a subject that begins alike', { ...good, sub: `${spiffeId(web)}-2` }, /claim "sub" does not fit/],
  ['without a subject', { ...good, sub: undefined }, /claim "sub" is missing/],
  ['without an audience', { ...good, aud: undefined }, /claim "aud" is missing/],
  ['without an end', { ...good, exp: undefined }, /claim "exp" is missing/],
  ['that has expired', { ...good, exp: nowSec - 1 }, /has expired/],
  ['that is not yet valid', { ...good, nbf: nowSec + 30 }, /claim "nbf" does not fit/],
])('a token %s is refused', async (_says, claims, reason) => {
  // What is undefined is left out of the token by its JSON.
  expect(await doubt(await token(JSON.parse(JSON.stringify(claims))))).toMatch(reason);
});

test('a token of another issuer is refused where one is demanded', async () => {
  expect(await doubt(await token(good), { issuer: 'https://other' })).toMatch(/claim "iss"/);
});

test('a token by another key is refused, under our key id and under its own', async () => {
  expect(await doubt(await token(good, otherKey))).toMatch(/signature does not verify/);
  expect(await doubt(await token(good, otherKey, 'two'))).toMatch(/no key of ours/);
});

test('a token that is not signed at all is refused', async () => {
  expect(await doubt(new UnsecuredJWT(good).encode())).toMatch(/not allowed|not a JWT/);
});

test('the public key does not pass as a shared secret', async () => {
  const secret = new TextEncoder().encode(JSON.stringify(publicJwk));
  const forged = await new SignJWT(good).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
  expect(await doubt(forged)).toMatch(/algorithm is not allowed/);
});

test('a shared secret in the key set is not used either', async () => {
  const secret = Buffer.alloc(32, 7);
  const shared = join(directory, 'shared.json');
  writeFileSync(shared, JSON.stringify({ keys: [{ kty: 'oct', k: secret.toString('base64url'), kid: 'one' }] }));
  const forged = await new SignJWT(good).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
  expect(await doubt(forged, { path: shared })).toMatch(/algorithm is not allowed/);
});

test.each([
  ['none', '', /brings no token/],
  ['words', 'let me in', /not a JWT/],
  ['a flood', 'a'.repeat(17_000), /larger than/],
])('%s in place of a token is refused', async (_says, text, reason) => {
  expect(await doubt(text)).toMatch(reason);
});

test('the caller learns neither paths nor secrets, and the log learns the cause', async () => {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line), now: clock.now });
  const gone = join(directory, 'gone.json');
  const text = await token(good);
  const said = await doubt(text, { path: gone, log });
  expect(said).toMatch(/could not be checked/);
  expect(said).not.toContain('gone.json');
  expect(lines.join('')).toContain('gone.json');
  expect(lines.join('')).not.toContain(text.split('.')[2]);
});

test('keys are rotated by replacing the file', async () => {
  const rotating = join(directory, 'rotating.json');
  writeFileSync(rotating, JSON.stringify({ keys: [] }));
  expect(await doubt(await token(good), { path: rotating })).toMatch(/no key of ours/);
  writeFileSync(rotating, JSON.stringify({ keys: [publicJwk] }));
  expect(await doubt(await token(good), { path: rotating })).toBeUndefined();
});
