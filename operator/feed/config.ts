// What one app is told: the policies and the endpoints of its namespace that concern it. Its identity decides, and nothing that it says.
//
// A spec is passed on as it is stored, valid or not: a policy that cannot be read must not open what it was to close, and the
// sidecar, which enforces it, is who can refuse. Of two Resiliencies that conflict the younger is left out: an app that is told of
// one alone could not see that they do.
import type { Target } from '../../api/ids.ts';
import type { FeedResource, KindVersion } from '../../api/proto/feed.ts';
import { createdMs, type Resource } from '../../api/resources/object.ts';
import { ACCESS_POLICIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES, RESILIENCIES } from '../../kube/custom.ts';
import type { Store } from '../../kube/store.ts';
import { CONFIG_MAPS } from '../../kube/types.ts';
import type { SettledResiliencies } from '../settled.ts';
import type { Stores } from '../stores.ts';

export type ConfigStores = Pick<
  Stores,
  'accessPolicies' | 'resiliencies' | 'httpEndpoints' | 'namespacePolicies' | 'trustBundles'
>;

/** What a sidecar enforces of its NamespacePolicy. The rest is between the platform team and the webhook. */
const NAMESPACE_POLICY_FIELDS = ['callableFrom', 'mayCall', 'externalHosts', 'defaultAccess', 'traceSampling'] as const;

/** In a fixed order, so that equal policies make equal bytes. */
export function compileResources(
  stores: ConfigStores,
  { app, namespace }: Target,
  settled: Pick<SettledResiliencies, 'acceptedIn'>,
): readonly FeedResource[] {
  const isOurs = ({ metadata }: Resource<unknown>) => metadata.namespace === namespace;
  const access = stores.accessPolicies.all().filter((policy) => isOurs(policy) && selects(policy.spec.apps, app));
  const resiliencies = settled.acceptedIn(namespace).filter((one) => selects(one.spec.scopes, app));
  const endpoints = stores.httpEndpoints.all().filter((one) => isOurs(one) && selects(one.spec.scopes, app));
  const namespacePolicy = stores.namespacePolicies.get(namespace);
  return [
    ...access.map((policy) => resource(ACCESS_POLICIES.kind, policy, policy.spec)),
    ...resiliencies.map((policy) => resource(RESILIENCIES.kind, policy, policy.spec)),
    ...endpoints.map((endpoint) => resource(HTTP_ENDPOINTS.kind, endpoint, endpoint.spec)),
    ...(namespacePolicy ? [resource(NAMESPACE_POLICIES.kind, namespacePolicy, enforced(namespacePolicy.spec))] : []),
  ].toSorted(byKindAndName);
}

/** The kinds that a config is made of, by the names that its versions have. */
export function versionedStores(stores: ConfigStores): ReadonlyMap<string, Store<unknown>> {
  return new Map<string, Store<unknown>>([
    [ACCESS_POLICIES.kind, stores.accessPolicies],
    [RESILIENCIES.kind, stores.resiliencies],
    [HTTP_ENDPOINTS.kind, stores.httpEndpoints],
    [NAMESPACE_POLICIES.kind, stores.namespacePolicies],
    [CONFIG_MAPS.kind, stores.trustBundles],
  ]);
}

export function configVersions(stores: ConfigStores): readonly KindVersion[] {
  return [...versionedStores(stores)].map(([kind, store]) => ({ kind, version: store.version() }));
}

/** Without a list, all apps of the namespace. */
function selects(apps: readonly string[] | undefined, app: string): boolean {
  return apps === undefined || apps.includes(app);
}

function enforced(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(NAMESPACE_POLICY_FIELDS.map((field) => [field, spec[field]]));
}

function resource(kind: string, { metadata }: Resource<unknown>, spec: unknown): FeedResource {
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    generation: metadata.generation ?? 0,
    createdMs: createdMs(metadata),
    spec: Buffer.from(JSON.stringify(spec)),
  };
}

function byKindAndName(a: FeedResource, b: FeedResource): number {
  const [keyOfA, keyOfB] = [`${a.kind}/${a.name}`, `${b.kind}/${b.name}`];
  return keyOfA < keyOfB ? -1 : 1;
}
