// The container that the webhook adds to a pod, and the volumes that only it mounts.
import type {
  V1Container,
  V1EnvVar,
  V1Probe,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node';
import { appHealthOf, type SidecarSettings, sidecarPorts } from '../../api/annotations.ts';
import type { AppProbe } from '../../api/app-probe.ts';
import { isOverTls } from '../../api/app-protocol.ts';
import type { SecretKey } from '../../api/http-endpoint.ts';
import type { Namespace } from '../../api/ids.ts';
import {
  CONTROL_PLANE_PORTS,
  METRICS_PORT_NAME,
  OPERATOR,
  PATHS,
  PEER_PORT_NAME,
  SENTRY,
  SIDECAR_CONTAINER,
  SIDECAR_UID,
  sentryAudience,
  TRUST_BUNDLE,
} from '../../api/pod.ts';
import {
  APP_CA_VARIABLE,
  type PodSidecar,
  printPodSidecar,
  SIDECAR_VARIABLE,
  TOKEN_VARIABLES,
} from '../../api/pod-sidecar.ts';
import type { OperatorConfig } from '../config.ts';
import { ENDPOINT_SECRETS_VOLUME, endpointSecretsMount, endpointSecretsVolume } from './endpoint-secrets.ts';

export const VOLUMES = {
  token: 'invoke-token',
  trust: 'invoke-trust',
  state: 'invoke-state',
  /** Empty: it covers the place where admission would mount the pod's API token. */
  noApiToken: 'invoke-no-api-token',
  /** Keys of Secrets that named endpoints refer to. */
  endpointSecrets: ENDPOINT_SECRETS_VOLUME,
} as const;

const PUBLIC_PORT_NAME = 'invoke-public';
/** The key of a token in a Secret that an annotation names. */
const TOKEN_KEY = 'token';
const CA_KEY = 'ca.crt';
/** The kubelet renews it at four fifths. */
const TOKEN_LIFE_SEC = 3600;
const STATE_SIZE = '16Mi';
/** A year of seconds: the sidecar waits for the control plane as long as it takes, and is never killed for it. */
const STARTUP_FAILURES_MAX = 365 * 86_400;
const PROBE_TIMEOUT_SEC = 3;

/** What the sidecar is given beside its settings. */
export interface SidecarExtras {
  /** Mounted. */
  readonly secrets: readonly SecretKey[];
  /** Done in the kubelet's place. */
  readonly probes: readonly AppProbe[];
}

export function sidecarContainer(
  settings: SidecarSettings,
  namespace: Namespace,
  config: OperatorConfig,
  { secrets, probes }: SidecarExtras,
): V1Container {
  const resources = resourcesOf(settings);
  return {
    name: SIDECAR_CONTAINER,
    image: settings.image ?? config.sidecar.image,
    imagePullPolicy: config.sidecar.imagePullPolicy,
    restartPolicy: 'Always',
    env: environmentOf(settings, podSidecar(settings, namespace, config, probes)),
    ports: portsOf(settings),
    ...(resources !== undefined && { resources }),
    startupProbe: {
      ...probeOf('/v1.0/healthz/outbound', settings),
      periodSeconds: 1,
      timeoutSeconds: PROBE_TIMEOUT_SEC,
      failureThreshold: STARTUP_FAILURES_MAX,
    },
    readinessProbe: {
      ...probeOf('/v1.0/healthz', settings),
      ...(settings.readinessDelaySec > 0 && { initialDelaySeconds: settings.readinessDelaySec }),
      periodSeconds: settings.readinessPeriodSec,
      timeoutSeconds: settings.readinessTimeoutSec,
      failureThreshold: settings.readinessThreshold,
    },
    lifecycle: { preStop: { exec: { command: ['touch', PATHS.drain] } } },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: {
      runAsNonRoot: true,
      runAsUser: SIDECAR_UID,
      runAsGroup: SIDECAR_UID,
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [...mountsOf(settings), ...endpointSecretsMount(secrets)],
  };
}

export function sidecarVolumes(config: OperatorConfig, secrets: readonly SecretKey[] = []): V1Volume[] {
  const audience = sentryAudience(config.trustDomain, config.namespace);
  const serviceAccountToken = { audience, expirationSeconds: TOKEN_LIFE_SEC, path: 'token' };
  return [
    { name: VOLUMES.token, projected: { sources: [{ serviceAccountToken }] } },
    // A directory, not a file of it: only so does a mounted ConfigMap follow its changes.
    { name: VOLUMES.trust, configMap: { name: TRUST_BUNDLE } },
    { name: VOLUMES.state, emptyDir: { medium: 'Memory', sizeLimit: STATE_SIZE } },
    { name: VOLUMES.noApiToken, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ...endpointSecretsVolume(secrets),
  ];
}

/** What every other container is told of the sidecar. */
export function appEnvironment(settings: SidecarSettings): V1EnvVar[] {
  const tokens = settings.apiTokenSecret;
  return [
    { name: 'DAPR_HTTP_PORT', value: String(settings.httpPort) },
    { name: 'DAPR_GRPC_PORT', value: String(settings.grpcPort) },
    { name: 'INVOKE_HTTP_PORT', value: String(settings.httpPort) },
    { name: 'INVOKE_GRPC_PORT', value: String(settings.grpcPort) },
    { name: 'APP_PROTOCOL', value: settings.appProtocol },
    ...(tokens === undefined ? [] : [fromSecret('DAPR_API_TOKEN', tokens), fromSecret('INVOKE_API_TOKEN', tokens)]),
  ];
}

function environmentOf(settings: SidecarSettings, told: PodSidecar): V1EnvVar[] {
  const { apiTokenSecret, appTokenSecret, appTlsCaSecret, appProtocol, env = [], envFromSecret = [] } = settings;
  return [
    { name: SIDECAR_VARIABLE, value: printPodSidecar(told) },
    ...(apiTokenSecret === undefined ? [] : [fromSecret(TOKEN_VARIABLES.api, apiTokenSecret)]),
    ...(appTokenSecret === undefined ? [] : [fromSecret(TOKEN_VARIABLES.app, appTokenSecret)]),
    ...(appTlsCaSecret === undefined || !isOverTls(appProtocol)
      ? []
      : [fromSecret(APP_CA_VARIABLE, appTlsCaSecret, CA_KEY)]),
    ...env.map(({ name, value }) => ({ name, value })),
    ...envFromSecret.map(({ name, secret, key }) => fromSecret(name, secret, key)),
  ];
}

function podSidecar(
  settings: SidecarSettings,
  namespace: Namespace,
  config: OperatorConfig,
  probes: readonly AppProbe[],
): PodSidecar {
  const address = (service: string, port: number) =>
    `${service}.${config.namespace}.svc.${config.clusterDomain}:${port}`;
  const appHealth = appHealthOf(settings);
  return {
    appId: settings.appId,
    namespace,
    trustDomain: config.trustDomain,
    controlPlaneNamespace: config.namespace,
    sentryAddress: address(SENTRY, CONTROL_PLANE_PORTS.sentry),
    feedAddress: address(OPERATOR, CONTROL_PLANE_PORTS.feed),
    clusterDomain: config.clusterDomain,
    ...(settings.appPort !== undefined && { appPort: settings.appPort }),
    appProtocol: settings.appProtocol,
    appHost: settings.appHost,
    ...(settings.appTlsServerName !== undefined && { appTlsServerName: settings.appTlsServerName }),
    ...(settings.isAppTlsUnverified && { isAppTlsUnverified: true }),
    ...(settings.appMaxConcurrency !== undefined && { appMaxConcurrency: settings.appMaxConcurrency }),
    ...(appHealth !== undefined && { appHealth }),
    ...(probes.length > 0 && { appProbes: probes }),
    httpPort: settings.httpPort,
    grpcPort: settings.grpcPort,
    publicPort: settings.publicPort,
    peerPort: settings.peerPort,
    ...(settings.isMetricsOn && { metricsPort: settings.metricsPort }),
    ...(Number.isFinite(settings.bodyBytesMax) && { bodyBytesMax: settings.bodyBytesMax }),
    hopsMax: settings.hopsMax,
    gracefulShutdownMs: settings.gracefulShutdownMs,
    logLevel: settings.logLevel,
    logFormat: settings.isLogJson ? 'json' : 'text',
    allowedOrigins: [...(settings.allowedOrigins ?? [])],
    allowedHosts: [...(settings.allowedHosts ?? [])],
    upgradeProtocols: settings.upgradeProtocols,
    statuses: settings.statuses,
  };
}

/** Those that somebody outside of the pod has to reach; the app API is on loopback. */
function portsOf(settings: SidecarSettings): NonNullable<V1Container['ports']> {
  const ports = sidecarPorts(settings);
  const named = [
    { name: PUBLIC_PORT_NAME, containerPort: ports.get('publicPort') },
    { name: PEER_PORT_NAME, containerPort: ports.get('peerPort') },
    { name: METRICS_PORT_NAME, containerPort: ports.get('metricsPort') },
  ];
  return named.flatMap(({ name, containerPort }) =>
    containerPort === undefined ? [] : [{ name, containerPort, protocol: 'TCP' }],
  );
}

function probeOf(path: string, { publicPort }: SidecarSettings): V1Probe {
  return { httpGet: { path, port: publicPort, scheme: 'HTTP' } };
}

function resourcesOf(settings: SidecarSettings): V1ResourceRequirements | undefined {
  const { cpuRequest, memoryRequest, cpuLimit, memoryLimit } = settings;
  const requests = amounts(cpuRequest, memoryRequest);
  const limits = amounts(cpuLimit, memoryLimit);
  if (requests === undefined && limits === undefined) return undefined;
  return { ...(requests !== undefined && { requests }), ...(limits !== undefined && { limits }) };
}

function amounts(cpu: string | undefined, memory: string | undefined): Record<string, string> | undefined {
  if (cpu === undefined && memory === undefined) return undefined;
  return { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
}

function mountsOf({ mounts = [], writableMounts = [] }: SidecarSettings): V1VolumeMount[] {
  return [
    { name: VOLUMES.token, mountPath: PATHS.tokenDirectory, readOnly: true },
    { name: VOLUMES.trust, mountPath: PATHS.trustDirectory, readOnly: true },
    { name: VOLUMES.state, mountPath: PATHS.stateDirectory },
    { name: VOLUMES.noApiToken, mountPath: PATHS.apiToken, readOnly: true },
    ...mounts.map(({ volume, path }) => ({ name: volume, mountPath: path, readOnly: true })),
    ...writableMounts.map(({ volume, path }) => ({ name: volume, mountPath: path })),
  ];
}

function fromSecret(name: string, secret: string, key = TOKEN_KEY): V1EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
}
