// Which requests lead to a validator, and what is said to the others.
import { expect, test } from 'vitest';
import { parseSpiffeId, parseTrustDomain } from '../../api/ids.ts';
import type { SignRequest } from '../../api/proto/sentry.ts';
import { CONTROL_PLANE_NAMESPACE } from '../../identity/svid.ts';
import { err, must, ok } from '../../kit/result.ts';
import { attest, type Origin, type Validator, type Validators } from './attest.ts';
import { insecureValidator } from './insecure.ts';

const trustDomain = must(parseTrustDomain('cluster.local'));
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
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
  attest({ ...request, ...change }, origin, {
    trustDomain,
    controlPlaneNamespace: CONTROL_PLANE_NAMESPACE,
    validators: enabled,
  });

test.each<Origin>(['socket', 'loopback'])('the insecure validator believes a %s', async (origin) => {
  expect(await ask({}, origin)).toEqual({ ok: true, value: { identity: web } });
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
  const outcome = await ask({}, 'network', { jwks: async ({ identity }) => ok({ identity }) });
  const reason = 'token_validator "insecure" is not enabled here; enabled: jwks; bring a token: --token-file FILE';
  expect(outcome).toEqual({ ok: false, error: { kind: 'bad-request', reason } });
});

test('in a cluster, whoever brings another proof than a pod is told what counts there', async () => {
  const outcome = await ask({ validator: 'jwks' }, 'network', { kubernetes: async ({ identity }) => ok({ identity }) });
  expect(outcome).toMatchObject({
    ok: false,
    error: { reason: expect.stringMatching(/serves the pods of its cluster/) },
  });
});

test('no validator but that of pods, however convinced, gives out an identity of the control plane', async () => {
  const convinced: Validator = async ({ identity }) => ok({ identity });
  const own = { namespace: 'invoke-system', appId: 'invoke-operator' };
  const outcome = await ask({ ...own, validator: 'jwks' }, 'network', { jwks: convinced });
  expect(outcome).toMatchObject({ ok: false, error: { kind: 'not-proven' } });
  expect(await ask({ ...own, validator: 'kubernetes' }, 'network', { kubernetes: convinced })).toMatchObject({
    ok: true,
  });
});

test('the identity is the proven one, and a request for another is refused with both', async () => {
  const subject = { pod: 'shop/web-1', podUid: 'u1', serviceAccount: 'shop/web' };
  const kubernetes: Validator = async () => ok({ identity: web, subject });
  const enabled = { kubernetes };
  expect(await ask({ validator: 'kubernetes' }, 'network', enabled)).toEqual({
    ok: true,
    value: { identity: web, subject },
  });
  for (const change of [{ appId: 'orders' }, { namespace: 'bank' }]) {
    expect(await ask({ ...change, validator: 'kubernetes' }, 'network', enabled)).toMatchObject({
      ok: false,
      error: { kind: 'mismatch', subject, reason: expect.stringMatching(/is not the proven one, .*ns\/shop\/web$/) },
    });
  }
});

test('nobody who could be asked is not a no', async () => {
  const kubernetes: Validator = async () => err({ kind: 'unavailable', reason: 'the API server is away' });
  expect(await ask({ validator: 'kubernetes' }, 'network', { kubernetes })).toEqual({
    ok: false,
    error: {
      kind: 'unavailable',
      reason: 'spiffe://cluster.local/ns/shop/web could not be proven just now: the API server is away',
    },
  });
});
