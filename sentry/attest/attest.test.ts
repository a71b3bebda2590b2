// Which requests lead to a validator, and what is said to the others.
import { expect, test } from 'vitest';
import { parseTrustDomain } from '../../api/ids.ts';
import type { SignRequest } from '../../api/proto/sentry.ts';
import { must } from '../../kit/result.ts';
import { attest, type Origin, type Validators } from './attest.ts';
import { insecureValidator } from './insecure.ts';

const trustDomain = must(parseTrustDomain('cluster.local'));
const request: SignRequest = {
  appId: 'web',
  namespace: 'shop',
  trustDomain: 'cluster.local',
  token: '',
  validator: 'insecure',
  csr: Buffer.from('a request'),
};
const validators: Validators = { insecure: insecureValidator };
const ask = (change: Partial<SignRequest>, origin: Origin = 'socket', enabled = validators) =>
  attest({ ...request, ...change }, origin, trustDomain, enabled);

test.each<Origin>(['socket', 'loopback'])('the insecure validator believes a %s', async (origin) => {
  expect(await ask({}, origin)).toEqual({ ok: true, value: { trustDomain, namespace: 'shop', app: 'web' } });
});

test('the insecure validator believes nobody from the network', async () => {
  expect(await ask({}, 'network')).toMatchObject({ ok: false, error: { kind: 'not-proven' } });
});

test.each<[Partial<SignRequest>, string, RegExp]>([
  [{ appId: '' }, 'bad-request', /^id: /],
  [{ appId: 'Web' }, 'bad-request', /^id: /],
  [{ appId: 'web/../admin' }, 'bad-request', /^id: /],
  [{ namespace: '' }, 'bad-request', /^namespace: /],
  [{ namespace: 'shop/ns' }, 'bad-request', /^namespace: /],
  [{ csr: Buffer.alloc(0) }, 'bad-request', /^certificate_signing_request: /],
  [{ trustDomain: 'elsewhere' }, 'not-proven', /^trust_domain: .*"elsewhere"/],
  [{ trustDomain: '' }, 'not-proven', /^trust_domain: /],
  [
    { validator: 'jwks' },
    'bad-request',
    /^token_validator "jwks" is not enabled here; enabled: insecure; .*leave --token-file out$/,
  ],
  [{ validator: 'unknown' }, 'bad-request', /^token_validator /],
  [{ namespace: 'invoke-system' }, 'not-proven', /control plane/],
  [{ namespace: 'invoke-system', appId: 'invoke-sentry' }, 'not-proven', /control plane/],
])('%j is refused as %s', async (change, kind, reason) => {
  expect(await ask(change)).toMatchObject({ ok: false, error: { kind, reason: expect.stringMatching(reason) } });
});

test('whoever forgot its token is told how to bring one', async () => {
  const outcome = await ask({}, 'network', { jwks: async () => undefined });
  const reason = 'token_validator "insecure" is not enabled here; enabled: jwks; bring a token: --token-file FILE';
  expect(outcome).toEqual({ ok: false, error: { kind: 'bad-request', reason } });
});

test('no validator, however convinced, gives out an identity of the control plane', async () => {
  const convinced = async () => undefined;
  const outcome = await ask({ namespace: 'invoke-system', validator: 'jwks' }, 'socket', { jwks: convinced });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'not-proven' } });
});
