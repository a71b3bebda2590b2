// What the webhook puts into a pod and everybody else relies on: names, ports, paths. One place, so that the operator, the
// sentry, the sidecar and the chart cannot drift apart (the chart's copies are held to these by a test).
import { must } from '../kit/result.ts';
import { type AppId, type Namespace, parseAppId, spiffeId, type TrustDomain } from './ids.ts';

/** Our API group, and the prefix of our annotations and labels. */
export const GROUP = 'invoke.io';
/** Of its kinds. */
export const VERSION = 'v1alpha1';

/** On a pod template, or on a workload: mesh it under this name. On a pod of ours it is also a label, with the same value. */
export const APP_ID_KEY = `${GROUP}/app-id`;
/** Label on what the operator made, and nobody else. */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'invoke-operator';
/** On a workload's pod template: which `invoke.io/*` annotations the workload webhook copied there, comma-separated. */
export const COPIED_KEY = `${GROUP}/copied`;

/** The container that the webhook adds. */
export const SIDECAR_CONTAINER = 'invoke-sidecar';

/** Ports of a sidecar in a pod, unless an annotation moves them. The public port serves health alone. */
export const PORTS = { http: 3500, grpc: 50001, public: 3501, peer: 50002, metrics: 9090 } as const;
/** Names of the container ports that others refer to (a Service's targetPort, a PodMonitor). */
export const PEER_PORT_NAME = 'invoke-peer';
export const METRICS_PORT_NAME = 'invoke-metrics';

/** Every sidecar runs as this user and group. */
export const SIDECAR_UID = 65532;

/** What a sidecar finds mounted. */
export const PATHS = {
  /** The projected token for the sentry; read at each use. */
  tokenDirectory: '/var/run/secrets/invoke.io/token',
  token: '/var/run/secrets/invoke.io/token/token',
  /** The ConfigMap `invoke-trust-bundle` of the pod's namespace. */
  trustDirectory: '/var/run/secrets/invoke.io/trust',
  trustAnchors: '/var/run/secrets/invoke.io/trust/trust-anchors.crt',
  /** An emptyDir of the sidecar alone: the last snapshot, and the file by which preStop says that it is time to drain. */
  stateDirectory: '/var/run/invoke',
  snapshot: '/var/run/invoke/snapshot',
  drain: '/var/run/invoke/drain',
  /** Keys of Secrets that named endpoints refer to: a folder for each Secret, a file for each key. */
  endpointSecretsDirectory: '/var/run/secrets/invoke.io/endpoints',
  /** Admission would put the app's API token there (the ServiceAccount controller skips a path that is mounted). */
  apiToken: '/var/run/secrets/kubernetes.io/serviceaccount',
} as const;

/** The ConfigMap with the trust anchors, in every namespace, and its key. */
export const TRUST_BUNDLE = 'invoke-trust-bundle';
export const TRUST_BUNDLE_KEY = 'trust-anchors.crt';
/** The cluster-scoped, empty ClusterRole that owns whatever the operator makes: deleting it cleans up. */
export const OWNER_CLUSTER_ROLE = 'invoke-owner';

/** Names of the control plane's Services and ServiceAccounts; their pods have the SPIFFE IDs `…/ns/<our namespace>/<name>`. */
export const SENTRY = 'invoke-sentry';
export const OPERATOR = 'invoke-operator';
export const CONTROL_PLANE_PORTS = { sentry: 50001, feed: 50003, webhook: 9443, health: 8080, metrics: 9090 } as const;

/** The headless Service by which an app's sidecars are found. */
export function serviceName(app: AppId): string {
  return `${app}-invoke`;
}

/** Where nobody is to call apps past their sidecars: the NetworkPolicy of an app. */
export function networkPolicyName(app: AppId): string {
  return `${app}-invoke`;
}

/** The audience of a token for the sentry: its own SPIFFE ID, so that no token for anything else passes. */
export function sentryAudience(trustDomain: TrustDomain, controlPlaneNamespace: Namespace): string {
  return spiffeId({ trustDomain, namespace: controlPlaneNamespace, app: must(parseAppId(SENTRY)) });
}
