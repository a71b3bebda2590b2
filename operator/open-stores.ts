// Begins to watch what the operator keeps in memory, trimmed to what is read: a cluster has many pods, and most of a pod is of
// no interest here.
import type { V1Namespace, V1Node, V1Pod } from '@kubernetes/client-node';
import { APP_ID_KEY, GROUP, MANAGED_BY, MANAGED_BY_LABEL, SIDECAR_CONTAINER, TRUST_BUNDLE } from '../api/pod.ts';
import { ACCESS_POLICIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES, RESILIENCIES } from '../kube/custom.ts';
import type { Kube } from '../kube/kube.ts';
import type { Store } from '../kube/store.ts';
import {
  CONFIG_MAPS,
  type Kind,
  type KubernetesObject,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICES,
} from '../kube/types.ts';
import { type WatchKindDeps, type WatchKindOptions, watchKind } from '../kube/watch.ts';
import { templateOf, WORKLOAD_KINDS, type Workload } from '../kube/workload.ts';
import { ENDINGS } from './claims.ts';
import type { Stores } from './stores.ts';

const OURS = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;

/** They fill by themselves, each when its kind has been listed. */
export function openStores(kube: Pick<Kube, 'list' | 'watch'>, deps: WatchKindDeps): Stores {
  const open = <T extends KubernetesObject>(kind: Kind<T>, options: WatchKindOptions<T> = {}): Store<T> =>
    watchKind(kube, kind, { select: trimMetadata, ...options }, deps);
  return {
    namespaces: open(NAMESPACES, { select: trimNamespace }),
    pods: open(PODS, { labelSelector: APP_ID_KEY, select: trimPod }),
    nodes: open(NODES, { select: trimNode }),
    services: open(SERVICES, { labelSelector: OURS }),
    networkPolicies: open(NETWORK_POLICIES, { labelSelector: OURS }),
    trustBundles: open(CONFIG_MAPS, { fieldSelector: `metadata.name=${TRUST_BUNDLE}` }),
    workloads: WORKLOAD_KINDS.map((kind) => open(kind, { select: trimWorkload })),
    accessPolicies: open(ACCESS_POLICIES),
    resiliencies: open(RESILIENCIES),
    httpEndpoints: open(HTTP_ENDPOINTS),
    namespacePolicies: open(NAMESPACE_POLICIES),
  };
}

/** Who wrote which field is half of many an object. */
function trimMetadata<T extends KubernetesObject>(object: T): T {
  delete object.metadata?.managedFields;
  delete object.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  return object;
}

function trimNamespace(namespace: V1Namespace): V1Namespace {
  const trimmed = trimMetadata(namespace);
  delete trimmed.spec;
  delete trimmed.status;
  return trimmed;
}

/** Zone and region are labels. */
function trimNode(node: V1Node): V1Node {
  const trimmed = trimMetadata(node);
  delete trimmed.metadata?.annotations;
  delete trimmed.spec;
  delete trimmed.status;
  return trimmed;
}

/** Where it is, whether it is ready, and the ports of our container. */
function trimPod(pod: V1Pod): V1Pod {
  const trimmed = trimMetadata(pod);
  const { nodeName, initContainers = [] } = pod.spec ?? {};
  const { phase, podIP, podIPs, conditions = [] } = pod.status ?? {};
  const ours = initContainers.filter(({ name }) => name === SIDECAR_CONTAINER);
  trimmed.spec = {
    containers: [],
    initContainers: ours.map(({ name, ports = [] }) => ({ name, ports })),
    ...(nodeName !== undefined && { nodeName }),
  };
  trimmed.status = {
    conditions: conditions.filter(({ type }) => type === 'Ready'),
    ...(phase !== undefined && { phase }),
    ...(podIP !== undefined && { podIP }),
    ...(podIPs !== undefined && { podIPs }),
  };
  if (trimmed.metadata !== undefined) trimmed.metadata.annotations = ourOwn(trimmed.metadata.annotations);
  return trimmed;
}

/** Who it is, what its template says to us, and whether it is over. */
function trimWorkload(workload: Workload): Workload {
  const { apiVersion = '', kind = '', metadata = {}, spec, status } = trimMetadata(workload);
  const annotations = ourOwn(templateOf(workload)?.metadata?.annotations);
  const template = { template: { metadata: { annotations } } };
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, annotations: ourOwn(metadata.annotations) },
    spec: spec?.jobTemplate === undefined ? template : { jobTemplate: { spec: template } },
    status: { conditions: status?.conditions?.filter(({ type }) => ENDINGS.has(type)) },
  };
}

function ourOwn(annotations: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith(`${GROUP}/`)));
}
