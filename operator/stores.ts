// What the operator keeps in memory of the cluster: one watched store per kind, shared by webhook, reconcilers and feed.
import type { V1ConfigMap, V1Namespace, V1NetworkPolicy, V1Node, V1Pod, V1Service } from '@kubernetes/client-node';
import type { AccessPolicy } from '../api/resources/access-policy.ts';
import type { HttpEndpointResource } from '../api/resources/http-endpoint.ts';
import type { NamespacePolicy } from '../api/resources/namespace-policy.ts';
import type { Resiliency } from '../api/resources/resiliency.ts';
import type { Store } from '../kube/store.ts';
import type { Workload } from '../kube/workload.ts';

export interface Stores {
  readonly namespaces: Store<V1Namespace>;
  /** Those with our label: the meshed ones. */
  readonly pods: Store<V1Pod>;
  /** For their zones. */
  readonly nodes: Store<V1Node>;
  /** Those with our label. A user's own Service of the name is found when ours cannot be made. */
  readonly services: Store<V1Service>;
  /** Those with our label. */
  readonly networkPolicies: Store<V1NetworkPolicy>;
  /** Every ConfigMap named `invoke-trust-bundle`. */
  readonly trustBundles: Store<V1ConfigMap>;
  /** One of each of WORKLOAD_KINDS, of which metadata and template are read. */
  readonly workloads: readonly Store<Workload>[];
  readonly accessPolicies: Store<AccessPolicy>;
  readonly resiliencies: Store<Resiliency>;
  readonly httpEndpoints: Store<HttpEndpointResource>;
  /** Keyed by their name, which is their namespace's. */
  readonly namespacePolicies: Store<NamespacePolicy>;
}
