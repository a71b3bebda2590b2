// Which pods get which identity, told by an API server that speaks HTTP.
import type { V1Pod, V1TokenReview } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseNamespace, parseSpiffeId, parseTrustDomain } from '../../api/ids.ts';
import { silentLog } from '../../kit/log.ts';
import { must, type Result } from '../../kit/result.ts';
import { NAMESPACE_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { PODS, TOKEN_REVIEWS } from '../../kube/types.ts';
import type { Doubt, Proof } from './attest.ts';
import { kubernetesValidator } from './kubernetes.ts';

const trustDomain = must(parseTrustDomain('cluster.local'));
const controlPlaneNamespace = must(parseNamespace('invoke-system'));
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const AUDIENCE = 'spiffe://cluster.local/ns/invoke-system/invoke-sentry';
const TOKEN = 'header.payload.signature';

let api: ApiServer;
beforeEach(async () => {
  api = await startApiServer();
});
afterEach(() => api.stop());

type Status = NonNullable<V1TokenReview['status']>;

/** A token that the API server accepts, of the pod that `put` made. */
function bound(pod: V1Pod, change: Partial<Status> = {}): Status {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  return {
    authenticated: true,
    audiences: [AUDIENCE],
    user: {
      username: `system:serviceaccount:${namespace}:${pod.spec?.serviceAccountName}`,
      extra: { 'authentication.kubernetes.io/pod-name': [name], 'authentication.kubernetes.io/pod-uid': [uid] },
    },
    ...change,
  };
}

function put(change: Partial<V1Pod['metadata']> = {}, serviceAccountName = 'default', phase = 'Running'): V1Pod {
  return api.put(PODS, {
    metadata: {
      name: 'web-1',
      namespace: 'shop',
      annotations: { 'invoke.io/app-id': 'web' },
      labels: { 'invoke.io/app-id': 'web' },
      ...change,
    },
    spec: { containers: [], serviceAccountName },
    status: { phase },
  });
}

function validate(status: Status, token = TOKEN): Promise<Result<Proof, Doubt>> {
  api.review(TOKEN_REVIEWS, (review) => ({ ...review, status }));
  const validator = kubernetesValidator({ kube: api.kube, trustDomain, controlPlaneNamespace, log: silentLog });
  // What is asked for is none of the validator's business.
  return validator({ identity: must(parseSpiffeId('spiffe://cluster.local/ns/x/y')), token, origin: 'network' });
}

function policy(identities: { appId: string; serviceAccounts: string[] }[]): void {
  api.put(NAMESPACE_POLICIES, { metadata: { name: 'shop' }, spec: { directTraffic: 'allow', identities } });
}

const refused = (reason: RegExp, kind: Doubt['kind'] = 'not-proven') => ({
  ok: false,
  error: { kind, reason: expect.stringMatching(reason) },
});

test('the identity is that of the pod which the token is bound to; the review asks for our audience', async () => {
  const pod = put();
  expect(await validate(bound(pod))).toEqual({
    ok: true,
    value: {
      identity: web,
      subject: { pod: 'shop/web-1', podUid: pod.metadata?.uid, serviceAccount: 'shop/default' },
    },
  });
  const [review] = api.requests.filter(({ plural }) => plural === 'tokenreviews');
  expect(review?.body).toMatchObject({ spec: { token: TOKEN, audiences: [AUDIENCE] } });
});

test.each(['Pending', 'Running', 'Unknown'])(
  'a pod whose phase is %s may renew, also while it drains',
  async (phase) => {
    expect((await validate(bound(put({ deletionTimestamp: new Date() }, 'default', phase)))).ok).toBe(true);
  },
);

test.each<[string, (pod: V1Pod) => Status, RegExp]>([
  [
    'that the API server does not accept',
    (pod) => bound(pod, { authenticated: false, error: 'token has expired' }),
    /does not accept the token: token has expired/,
  ],
  ['without a verdict', () => ({}), /does not accept/],
  ['for another audience', (pod) => bound(pod, { audiences: ['https://kubernetes'] }), /not for the audience/],
  ['for the API server', (pod) => bound(pod, { audiences: [] }), /not for the audience/],
  [
    'of a user who is no ServiceAccount',
    (pod) => bound(pod, { user: { ...bound(pod).user, username: 'admin' } }),
    /admin, not of a ServiceAccount/,
  ],
  [
    'that is bound to no pod',
    (pod) => bound(pod, { user: { ...bound(pod).user, extra: {} } }),
    /default is not bound to a pod/,
  ],
  [
    'of a pod that is gone',
    () => bound({ ...put(), metadata: { name: 'web-0', namespace: 'shop', uid: 'u' } }),
    /shop\/web-0 is gone/,
  ],
  [
    'of a pod that had the name before',
    (pod) => bound({ ...pod, metadata: { ...pod.metadata, uid: 'before' } }),
    /another pod .* than the one the token was made for/,
  ],
  [
    'of another ServiceAccount than the pod runs as',
    (pod) => bound({ ...pod, spec: { containers: [], serviceAccountName: 'other' } }),
    /does not run as the ServiceAccount other/,
  ],
])('a token %s is refused', async (_says, status, reason) => {
  expect(await validate(status(put()))).toMatchObject(refused(reason));
});

test.each<[string, () => V1Pod, RegExp]>([
  ['has succeeded', () => put({}, 'default', 'Succeeded'), /has ended \(Succeeded\)/],
  ['has failed', () => put({}, 'default', 'Failed'), /has ended \(Failed\)/],
  ['is not annotated', () => put({ annotations: {} }), /has no annotation invoke\.io\/app-id/],
  ['is not labelled', () => put({ labels: {} }), /the label .* \(none\) is not its annotation \("web"\)/],
  [
    'says two things',
    () => put({ labels: { 'invoke.io/app-id': 'orders' } }),
    /label .*"orders".* annotation \("web"\)/,
  ],
  [
    'has a name that is no app id',
    () => put({ labels: { 'invoke.io/app-id': 'W' }, annotations: { 'invoke.io/app-id': 'W' } }),
    /"W" is not an app id/,
  ],
])('a pod that %s has no identity', async (_says, make, reason) => {
  expect(await validate(bound(make()))).toMatchObject(refused(reason));
});

test.each(['', 'words', 'a.b', `a.${'b'.repeat(20_000)}.c`, 'a.b.c\n'])(
  'what is no token by its looks (%#) is not worth a question',
  async (token) => {
    expect(await validate(bound(put()), token)).toMatchObject(refused(/brings no ServiceAccount token/));
    expect(api.requests).toEqual([]);
  },
);

test.each(['invoke-sentry', 'invoke-operator'])(
  'in our own namespace a pod of %s is that, whatever it says of itself',
  async (name) => {
    const pod = put({ namespace: 'invoke-system', name: `${name}-1` }, name);
    expect(await validate(bound(pod))).toMatchObject({
      ok: true,
      value: { identity: { trustDomain, namespace: 'invoke-system', app: name } },
    });
  },
);

test('nobody else has an identity there, and elsewhere those ServiceAccounts are nobody', async () => {
  const stranger = put({ namespace: 'invoke-system', annotations: { 'invoke.io/app-id': 'invoke-sentry' } });
  expect(await validate(bound(stranger))).toMatchObject(refused(/only the control plane has identities/));
  const namesake = put({}, 'invoke-sentry');
  expect(await validate(bound(namesake))).toMatchObject({ ok: true, value: { identity: web } });
});

test('a NamespacePolicy narrows who may be an app', async () => {
  policy([{ appId: 'web', serviceAccounts: ['frontend', 'canary'] }]);
  expect(await validate(bound(put()))).toMatchObject(
    refused(/the NamespacePolicy shop keeps it from the ServiceAccount default/, 'not-allowed'),
  );
  expect((await validate(bound(put({}, 'canary')))).ok).toBe(true);
  policy([{ appId: 'web', serviceAccounts: [] }]);
  expect((await validate(bound(put({}, 'canary')))).ok).toBe(false);
});

test('an app id that the NamespacePolicy does not list is free', async () => {
  policy([{ appId: 'orders', serviceAccounts: ['frontend'] }]);
  expect((await validate(bound(put()))).ok).toBe(true);
});

test.each<[string, Parameters<ApiServer['failNext']>]>([
  ['reviews no tokens', [9, { status: 503 }, { plural: 'tokenreviews' }]],
  ['lets us review no tokens', [9, { status: 403 }, { plural: 'tokenreviews' }]],
  ['breaks off', [9, 'reset', { plural: 'tokenreviews' }]],
  ['shows no pod', [9, { status: 500 }, { plural: 'pods' }]],
  ['lets us see no pod', [9, { status: 403 }, { plural: 'pods' }]],
  ['shows no policy', [9, { status: 500 }, { plural: 'namespacepolicies' }]],
  ['lets us see no policy', [9, { status: 403 }, { plural: 'namespacepolicies' }]],
])('an API server that %s is not a no and not a yes', async (_says, fault) => {
  const pod = put();
  api.failNext(...fault);
  expect(await validate(bound(pod))).toMatchObject(refused(/the reason is in the log of the sentry/, 'unavailable'));
});
