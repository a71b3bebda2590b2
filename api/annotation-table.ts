// Every annotation `invoke.io/<key>`: what it takes, what it means, and what holds without it. Reading them is in
// annotations.ts; docs/annotations.md is made from this.
//
// The keys are those of Dapr, so that manifests carry over by a change of prefix. What this version does not do yet stands
// in annotation-unserved.ts.
import { LOG_LEVELS } from '../kit/log.ts';
import type { Result } from '../kit/result.ts';
import {
  parseBodyMax,
  parseHostName,
  parseList,
  parseObjectName,
  parseOneOf,
  parseOrigin,
  parsePort,
  parseWhole,
} from '../kit/values.ts';
import { UNSERVED } from './annotation-unserved.ts';
import {
  isLoopback,
  parseCpu,
  parseEnv,
  parseEnvFromSecret,
  parseGraceSeconds,
  parseHost,
  parseImage,
  parseMemory,
  parseMounts,
  parseSwitch,
} from './annotation-values.ts';
import {
  APP_HEALTH_DEFAULTS,
  parseHealthIntervalSec,
  parseHealthPath,
  parseHealthThreshold,
  parseHealthTimeoutMs,
  parseMaxConcurrency,
} from './app-health.ts';
import { parseAppProtocol } from './app-protocol.ts';
import { DEFAULT_HOPS_MAX, parseHopsMax } from './hops.ts';
import { parseAppId } from './ids.ts';
import { PORTS } from './pod.ts';
import { parseUpgradeProtocol } from './upgrade.ts';

export interface ServedAnnotation<T = unknown> {
  /** Without the prefix. */
  readonly key: string;
  /** What stands for the value in the documentation. */
  readonly value: string;
  readonly help: string;
  /** What holds without it, written as one would write it. */
  readonly initially?: string;
  readonly parse: (text: string) => Result<T>;
  /** Values that take the platform team's consent: NamespacePolicy `allowedAnnotations`. */
  readonly restricted?: { readonly when: string; readonly is: (text: string) => boolean };
}

const always = { when: 'always', is: () => true };

const PROBE_MAX = 3600;
const probe = (min: number) => parseWhole(min, PROBE_MAX, 'a number for a probe');

export const SERVED = {
  appId: {
    key: 'app-id',
    value: 'ID',
    help: 'mesh the pod under this name, by which others call it',
    parse: parseAppId,
  },
  appPort: {
    key: 'app-port',
    value: 'PORT',
    help: 'where the app listens for calls; leave it out for a program that only calls',
    parse: parsePort,
  },
  appProtocol: {
    key: 'app-protocol',
    value: 'PROTOCOL',
    help: 'what the app speaks: http (HTTP/1.1), h2c (HTTP/2), grpc, all three without TLS; or over TLS https (HTTP/1.1), grpcs',
    initially: 'http',
    parse: parseAppProtocol,
  },
  appHost: {
    key: 'app-channel-address',
    value: 'HOST',
    help: 'the host on which the app listens',
    initially: 'localhost',
    parse: parseHost,
    restricted: { when: 'unless it is a loopback address', is: (text: string) => !isLoopback(text) },
  },
  appTlsCaSecret: {
    key: 'app-tls-ca-secret',
    value: 'SECRET',
    help:
      'the Secret whose key `ca.crt` has, in PEM, the authorities that vouch for an app of https or grpcs, in place of the ' +
      "well-known ones. What changes in it holds from the container's next start",
    parse: parseObjectName,
  },
  appTlsServerName: {
    key: 'app-tls-server-name',
    value: 'NAME',
    help: "the name in the app's certificate, where it is another than that of `app-channel-address`",
    parse: parseHostName,
  },
  // Not restricted: the app's address is, and to that plain HTTP would be allowed as well.
  isAppTlsUnverified: {
    key: 'app-tls-unverified',
    value: 'true or false',
    help: 'whether any certificate of an app of https or grpcs is taken',
    initially: 'false',
    parse: parseSwitch,
  },
  appMaxConcurrency: {
    key: 'app-max-concurrency',
    value: 'NUMBER',
    help: 'how many calls may be in the app at once, others wait for their turn; -1 for any number',
    initially: '-1',
    parse: parseMaxConcurrency,
  },
  isAppHealthChecked: {
    key: 'enable-app-health-check',
    value: 'true or false',
    help: 'whether the app is asked for its health, and gets calls only while it is healthy',
    initially: 'false',
    parse: parseSwitch,
  },
  appHealthPath: {
    key: 'app-health-check-path',
    value: 'PATH',
    help: 'what it is asked, where it speaks HTTP',
    initially: APP_HEALTH_DEFAULTS.path,
    parse: parseHealthPath,
  },
  appHealthIntervalSec: {
    key: 'app-health-probe-interval',
    value: 'SECONDS',
    help: 'how often it is asked',
    initially: APP_HEALTH_DEFAULTS.intervalSec,
    parse: parseHealthIntervalSec,
  },
  appHealthTimeoutMs: {
    key: 'app-health-probe-timeout',
    value: 'MILLISECONDS',
    help: 'how long it has for an answer',
    initially: APP_HEALTH_DEFAULTS.timeoutMs,
    parse: parseHealthTimeoutMs,
  },
  appHealthThreshold: {
    key: 'app-health-threshold',
    value: 'NUMBER',
    help: 'failures in a row that make it unhealthy',
    initially: APP_HEALTH_DEFAULTS.threshold,
    parse: parseHealthThreshold,
  },
  isProbesRewritten: {
    key: 'rewrite-probes',
    value: 'true or false',
    help:
      "whether the sidecar does the HTTP, TCP and gRPC probes of the pod's containers in the kubelet's place, on loopback: for an " +
      'app that listens there alone',
    initially: 'false',
    parse: parseSwitch,
  },
  httpPort: {
    key: 'http-port',
    value: 'PORT',
    help: 'the app API over HTTP, on loopback',
    initially: String(PORTS.http),
    parse: parsePort,
  },
  grpcPort: {
    key: 'grpc-port',
    value: 'PORT',
    help: 'the app API over gRPC, on loopback',
    initially: String(PORTS.grpc),
    parse: parsePort,
  },
  publicPort: {
    key: 'public-port',
    value: 'PORT',
    help: 'health alone, for the kubelet',
    initially: String(PORTS.public),
    parse: parsePort,
  },
  peerPort: {
    key: 'internal-grpc-port',
    value: 'PORT',
    help: 'where other sidecars call in',
    initially: String(PORTS.peer),
    parse: parsePort,
  },
  isMetricsOn: {
    key: 'enable-metrics',
    value: 'true or false',
    help: 'whether the sidecar serves metrics',
    initially: 'true',
    parse: parseSwitch,
  },
  metricsPort: {
    key: 'metrics-port',
    value: 'PORT',
    help: 'metrics for Prometheus',
    initially: String(PORTS.metrics),
    parse: parsePort,
  },
  bodyBytesMax: {
    key: 'max-body-size',
    value: 'SIZE',
    help: 'largest request body, such as 512Ki; 0 or -1 for no limit',
    initially: '4Mi',
    parse: parseBodyMax,
  },
  hopsMax: {
    key: 'max-hops',
    value: 'NUMBER',
    help: 'how many calls may lead to one another, as in a circle; up to 255',
    initially: String(DEFAULT_HOPS_MAX),
    parse: parseHopsMax,
  },
  gracefulShutdownMs: {
    key: 'graceful-shutdown-seconds',
    value: 'SECONDS',
    help: 'how long calls in flight may go on at the end; -1 for the default',
    initially: '5',
    parse: parseGraceSeconds,
  },
  appDrainSec: {
    key: 'app-drain-seconds',
    value: 'SECONDS',
    help:
      'how long the app still serves when its pod is to end, before it gets SIGTERM: time for callers to turn to other ' +
      'pods. For containers without a preStop of their own, if the pod has an app port; 0 for none',
    initially: '2',
    parse: parseWhole(0, 300, 'a number of seconds'),
  },
  apiTokenSecret: {
    key: 'api-token-secret',
    value: 'SECRET',
    help: 'the Secret whose key `token` the app has to show to its sidecar',
    parse: parseObjectName,
  },
  appTokenSecret: {
    key: 'app-token-secret',
    value: 'SECRET',
    help: 'the Secret whose key `token` the sidecar shows to the app',
    parse: parseObjectName,
  },
  allowedOrigins: {
    key: 'allowed-origins',
    value: 'ORIGIN,…',
    help: 'web pages that may call the app API, such as https://localhost:8443; * for all',
    parse: parseList(parseOrigin),
  },
  allowedHosts: {
    key: 'allowed-hosts',
    value: 'HOST,…',
    help: 'host names by which the app API may be called, beside localhost and IP addresses',
    parse: parseList(parseHostName),
  },
  upgradeProtocols: {
    key: 'upgrade-protocols',
    value: 'TOKEN,…',
    help: 'protocols that requests may go on in (the header Upgrade), beside websocket; caller and called both have to list one',
    parse: parseList(parseUpgradeProtocol),
  },
  statuses: {
    key: 'statuses',
    value: 'KIND',
    help: 'honest, or dapr: 500 wherever Dapr answers 500',
    initially: 'honest',
    parse: parseOneOf(['honest', 'dapr']),
    restricted: { when: 'unless it is honest', is: (text: string) => text !== 'honest' },
  },
  logLevel: {
    key: 'log-level',
    value: 'LEVEL',
    help: 'debug, info, warn or error',
    initially: 'info',
    parse: parseOneOf(LOG_LEVELS),
  },
  isLogJson: {
    key: 'log-as-json',
    value: 'true or false',
    help: 'whether log lines are JSON',
    initially: 'true',
    parse: parseSwitch,
  },
  cpuRequest: {
    key: 'sidecar-cpu-request',
    value: 'CPU',
    help: 'CPU that the sidecar asks for, such as 10m',
    parse: parseCpu,
  },
  cpuLimit: {
    key: 'sidecar-cpu-limit',
    value: 'CPU',
    help: 'CPU that the sidecar may use',
    parse: parseCpu,
  },
  memoryRequest: {
    key: 'sidecar-memory-request',
    value: 'MEMORY',
    help: 'memory that the sidecar asks for, such as 64Mi',
    parse: parseMemory,
  },
  memoryLimit: {
    key: 'sidecar-memory-limit',
    value: 'MEMORY',
    help: 'memory that the sidecar may use',
    parse: parseMemory,
  },
  readinessDelaySec: {
    key: 'sidecar-readiness-probe-delay-seconds',
    value: 'SECONDS',
    help: 'time before the first readiness probe',
    initially: '0',
    parse: probe(0),
  },
  readinessTimeoutSec: {
    key: 'sidecar-readiness-probe-timeout-seconds',
    value: 'SECONDS',
    help: 'time that the sidecar has for an answer',
    initially: '3',
    parse: probe(1),
  },
  readinessPeriodSec: {
    key: 'sidecar-readiness-probe-period-seconds',
    value: 'SECONDS',
    help: 'time between readiness probes',
    initially: '1',
    parse: probe(1),
  },
  readinessThreshold: {
    key: 'sidecar-readiness-probe-threshold',
    value: 'NUMBER',
    help: 'failures in a row after which the pod is not ready',
    initially: '5',
    parse: probe(1),
  },
  image: {
    key: 'sidecar-image',
    value: 'IMAGE',
    help: 'what the sidecar runs, instead of the installed version',
    parse: parseImage,
    restricted: always,
  },
  env: {
    key: 'env',
    value: 'NAME=VALUE,…',
    help: "further variables of the sidecar's environment",
    parse: parseEnv,
    restricted: always,
  },
  envFromSecret: {
    key: 'env-from-secret',
    value: 'NAME=SECRET[:KEY],…',
    help: 'further variables, from Secrets of the namespace',
    parse: parseEnvFromSecret,
    restricted: always,
  },
  mounts: {
    key: 'volume-mounts',
    value: 'VOLUME:PATH,…',
    help: 'volumes of the pod that the sidecar may read',
    parse: parseMounts,
    restricted: always,
  },
  writableMounts: {
    key: 'volume-mounts-rw',
    value: 'VOLUME:PATH,…',
    help: 'volumes of the pod that the sidecar may write',
    parse: parseMounts,
    restricted: always,
  },
} as const satisfies Readonly<Record<string, ServedAnnotation>>;

/** Everything that is known, without the prefix. */
export const KNOWN_KEYS: readonly string[] = [
  ...Object.values(SERVED).map(({ key }) => key),
  ...UNSERVED.map(({ key }) => key),
];
