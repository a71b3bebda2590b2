// Which policies an app is told of.
import { expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import type { HttpEndpointResource } from '../../api/resources/http-endpoint.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { type Resiliency, readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { SettledResiliencies } from '../settled.ts';
import { memoryStore, memoryStores } from '../testing-stores.ts';
import { compileResources, configVersions } from './config.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));

function accessPolicy(namespace: string, name: string, apps?: string[]): AccessPolicy {
  const spec: AccessPolicy['spec'] = {
    ...{ mode: 'enforce', default: 'deny', encodedSlash: 'both', rules: [] },
    ...(apps && { apps }),
  };
  return { metadata: { namespace, name, generation: 3, creationTimestamp: new Date(1000) }, spec };
}

function resiliency(namespace: string, name: string, scopes?: string[]): Resiliency {
  return { metadata: { namespace, name }, spec: { ...must(readResiliency({})), ...(scopes && { scopes }) } };
}

function compiled(given: Partial<ReturnType<typeof memoryStores>>, self = web) {
  const stores = memoryStores(given);
  return compileResources(stores, self, new SettledResiliencies(stores.resiliencies));
}

const told = (stores: Partial<ReturnType<typeof memoryStores>>) =>
  compiled(stores).map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);

test('an app is told of the policies of its namespace that are for all apps or for it', () => {
  const accessPolicies = memoryStore(
    accessPolicy('shop', 'z-for-all'),
    accessPolicy('shop', 'for-web', ['cart', 'web']),
    accessPolicy('shop', 'for-cart', ['cart']),
    accessPolicy('bank', 'for-web', ['web']),
  );
  const resiliencies = memoryStore(
    resiliency('shop', 'calls'),
    resiliency('shop', 'of-cart', ['cart']),
    resiliency('bank', 'calls'),
  );
  expect(told({ accessPolicies, resiliencies })).toEqual([
    'AccessPolicy shop/for-web',
    'AccessPolicy shop/z-for-all',
    'Resiliency shop/calls',
  ]);
});

test('of Resiliencies that conflict an app is told of the oldest, also of those that conflict with what it is not told of', () => {
  const cart = must(parseSpiffeId('spiffe://cluster.local/ns/shop/cart'));
  const speaking = (name: string, seconds: number, scopes: string[]): Resiliency => ({
    metadata: { namespace: 'shop', name, creationTimestamp: new Date(seconds * 1000) },
    spec: must(readResiliency({ inbound: { shedding: 'gradient' }, scopes })),
  });
  const oldest = speaking('of-web', 1, ['web']);
  const [between, youngest] = [speaking('of-both', 2, ['web', 'cart']), speaking('of-cart', 3, ['cart'])];
  const of = (self: typeof web, ...objects: Resiliency[]) =>
    compiled({ resiliencies: memoryStore(...objects) }, self).map(({ name }) => name);
  expect(of(web, oldest, between, youngest)).toEqual(['of-web']);
  // What is between is in effect for nobody, so nothing is in the way of the youngest.
  expect(of(cart, oldest, between, youngest)).toEqual(['of-cart']);
  expect(of(cart, between, youngest)).toEqual(['of-both']);
});

test('an app is told of the endpoints of its namespace that it may use, and of no value of a Secret', () => {
  const endpoint = (namespace: string, name: string, scopes?: string[]): HttpEndpointResource => ({
    metadata: { namespace, name },
    spec: {
      baseUrl: 'https://bank.example',
      headers: [{ name: 'authorization', secretKeyRef: { name: 'bank', key: 'token' } }],
      ...(scopes && { scopes }),
    },
  });
  const httpEndpoints = memoryStore(
    ...[endpoint('shop', 'payments'), endpoint('shop', 'for-web', ['web']), endpoint('shop', 'for-cart', ['cart'])],
    endpoint('bank', 'payments'),
  );
  expect(told({ httpEndpoints })).toEqual(['HTTPEndpoint shop/for-web', 'HTTPEndpoint shop/payments']);
});

test('of its NamespacePolicy an app is told what its sidecar enforces, and not who may claim which name', () => {
  const namespacePolicy = (name: string): NamespacePolicy => ({
    metadata: { name },
    spec: {
      directTraffic: 'deny',
      defaultAccess: 'deny',
      callableFrom: [{ namespace: 'bank' }],
      identities: [{ appId: 'web', serviceAccounts: ['web'] }],
      externalHosts: ['api.example.com'],
      allowedAnnotations: ['invoke.io/env'],
    },
  });
  const namespacePolicies = memoryStore(namespacePolicy('shop'), namespacePolicy('bank'));
  const [policy, ...others] = compiled({ namespacePolicies });
  expect(others).toEqual([]);
  expect(policy).toMatchObject({ kind: 'NamespacePolicy', namespace: '', name: 'shop' });
  expect(JSON.parse(`${policy?.spec}`)).toEqual({
    defaultAccess: 'deny',
    callableFrom: [{ namespace: 'bank' }],
    externalHosts: ['api.example.com'],
  });
});

test('a policy that nobody can read is told all the same: leaving it out would open what it was to close', () => {
  const broken: AccessPolicy = JSON.parse(
    '{"metadata":{"namespace":"shop","name":"broken"},"spec":{"mode":"of tomorrow"}}',
  );
  expect(told({ accessPolicies: memoryStore(broken) })).toEqual(['AccessPolicy shop/broken']);
});

test('the order in which a store holds policies makes no difference', () => {
  const policies = [accessPolicy('shop', 'b'), accessPolicy('shop', 'a'), accessPolicy('shop', 'c')];
  const both = [policies, policies.toReversed()].map((order) => compiled({ accessPolicies: memoryStore(...order) }));
  expect(both[0]).toEqual(both[1]);
  expect(both[0]?.[0]).toEqual({
    ...{ kind: 'AccessPolicy', namespace: 'shop', name: 'a', generation: 3, createdMs: 1000 },
    spec: Buffer.from(JSON.stringify(policies[1]?.spec)),
  });
});

test('the versions are those of every kind that a config is made of', () => {
  const accessPolicies = memoryStore<AccessPolicy>();
  accessPolicies.pretend({ version: 42 });
  expect(configVersions(memoryStores({ accessPolicies }))).toEqual([
    { kind: 'AccessPolicy', version: 42 },
    { kind: 'Resiliency', version: 1 },
    { kind: 'HTTPEndpoint', version: 1 },
    { kind: 'NamespacePolicy', version: 1 },
    { kind: 'ConfigMap', version: 1 },
  ]);
});
