// The kinds of Kubernetes objects that the control plane deals with: where each lives in the API, and its type.
import type {
  EventsV1Event,
  KubernetesObject,
  V1ClusterRole,
  V1ConfigMap,
  V1CronJob,
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1Lease,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1ObjectMeta,
  V1Pod,
  V1Secret,
  V1Service,
  V1StatefulSet,
  V1TokenReview,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';

export type { KubernetesObject, V1ObjectMeta };

/** One kind of object. `T` is what the API server sends and takes for it. */
export interface Kind<T extends KubernetesObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  /** Holds the type; never set. */
  readonly object?: T;
}

export const PODS: Kind<V1Pod> = core('Pod', 'pods');
export const SERVICES: Kind<V1Service> = core('Service', 'services');
export const CONFIG_MAPS: Kind<V1ConfigMap> = core('ConfigMap', 'configmaps');
export const SECRETS: Kind<V1Secret> = core('Secret', 'secrets');
export const NAMESPACES: Kind<V1Namespace> = { ...core<V1Namespace>('Namespace', 'namespaces'), isNamespaced: false };
export const NODES: Kind<V1Node> = { ...core<V1Node>('Node', 'nodes'), isNamespaced: false };
export const DEPLOYMENTS: Kind<V1Deployment> = namespaced('apps', 'v1', 'Deployment', 'deployments');
export const STATEFUL_SETS: Kind<V1StatefulSet> = namespaced('apps', 'v1', 'StatefulSet', 'statefulsets');
export const DAEMON_SETS: Kind<V1DaemonSet> = namespaced('apps', 'v1', 'DaemonSet', 'daemonsets');
export const JOBS: Kind<V1Job> = namespaced('batch', 'v1', 'Job', 'jobs');
export const CRON_JOBS: Kind<V1CronJob> = namespaced('batch', 'v1', 'CronJob', 'cronjobs');
export const NETWORK_POLICIES: Kind<V1NetworkPolicy> = namespaced(
  'networking.k8s.io',
  'v1',
  'NetworkPolicy',
  'networkpolicies',
);
export const LEASES: Kind<V1Lease> = namespaced('coordination.k8s.io', 'v1', 'Lease', 'leases');
export const EVENTS: Kind<EventsV1Event> = namespaced('events.k8s.io', 'v1', 'Event', 'events');
export const TOKEN_REVIEWS: Kind<V1TokenReview> = clusterWide(
  'authentication.k8s.io',
  'v1',
  'TokenReview',
  'tokenreviews',
);
export const CLUSTER_ROLES: Kind<V1ClusterRole> = clusterWide(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRole',
  'clusterroles',
);
export const MUTATING_WEBHOOKS: Kind<V1MutatingWebhookConfiguration> = clusterWide(
  'admissionregistration.k8s.io',
  'v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
);
export const VALIDATING_WEBHOOKS: Kind<V1ValidatingWebhookConfiguration> = clusterWide(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
);

/** `v1`, `apps/v1`: as `apiVersion` has it. */
export function apiVersion({ group, version }: Kind<KubernetesObject>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `namespace/name`, or `name` where there is no namespace: the key of an object within its kind. */
export function keyOf({ metadata }: KubernetesObject): string {
  const name = metadata?.name ?? '';
  return metadata?.namespace === undefined ? name : `${metadata.namespace}/${name}`;
}

function core<T extends KubernetesObject>(kind: string, plural: string): Kind<T> {
  return { group: '', version: 'v1', kind, plural, isNamespaced: true };
}

export function namespaced<T extends KubernetesObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
): Kind<T> {
  return { group, version, kind, plural, isNamespaced: true };
}

export function clusterWide<T extends KubernetesObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
): Kind<T> {
  return { group, version, kind, plural, isNamespaced: false };
}
