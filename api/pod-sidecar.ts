// How a sidecar in a pod is configured: one environment variable with JSON, which the webhook writes and the sidecar reads.
// One schema for both, so that neither can know a field that the other does not. `kubectl describe pod` shows it.
//
// Fields that a sidecar does not know are ignored: the operator may be newer than the image. On a laptop the same things are
// flags (cli/flags.ts).
import { parseJson } from '../kit/json.ts';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../kit/log.ts';
import {
  list,
  optional,
  parsedBy,
  type Readers,
  readRecord,
  record,
  text,
  texts,
  truth,
  wholeNumber,
} from '../kit/record.ts';
import { err, type Result } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';
import type { AppHealthConfig } from './app-health.ts';
import { type AppProbe, appProbe } from './app-probe.ts';
import { type AppProtocol, parseAppProtocol } from './app-protocol.ts';
import { MOST_HOPS_MAX } from './hops.ts';
import { type AppId, type Namespace, parseAppId, parseNamespace, parseTrustDomain, type TrustDomain } from './ids.ts';

export const SIDECAR_VARIABLE = 'INVOKE_SIDECAR';
/** Filled from Secrets by the kubelet: a token never stands in a pod's spec. */
export const TOKEN_VARIABLES = { api: 'INVOKE_API_TOKEN', app: 'APP_API_TOKEN' } as const;
/** Also from a Secret: who vouches for an app behind TLS, in PEM. */
export const APP_CA_VARIABLE = 'INVOKE_APP_CA';

export interface PodSidecar {
  readonly appId: AppId;
  readonly namespace: Namespace;
  readonly trustDomain: TrustDomain;
  readonly controlPlaneNamespace: Namespace;
  /** `host:port` of the sentry, and of the operator's feed. */
  readonly sentryAddress: string;
  readonly feedAddress: string;
  /** `cluster.local`, as a rule. */
  readonly clusterDomain: string;
  /** Left out for a program that only calls. */
  readonly appPort?: number | undefined;
  /** Left out: http. */
  readonly appProtocol?: AppProtocol | undefined;
  readonly appHost: string;
  /** Left out: its host. */
  readonly appTlsServerName?: string | undefined;
  readonly isAppTlsUnverified?: boolean | undefined;
  /** Left out: any number. */
  readonly appMaxConcurrency?: number | undefined;
  /** Left out: its health is not asked for. */
  readonly appHealth?: AppHealthConfig | undefined;
  /** Left out: the kubelet asks the app's containers itself. */
  readonly appProbes?: readonly AppProbe[] | undefined;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly publicPort: number;
  readonly peerPort: number;
  /** Left out: no metrics. */
  readonly metricsPort?: number | undefined;
  /** Left out: no limit. */
  readonly bodyBytesMax?: number | undefined;
  /** Left out: the default. */
  readonly hopsMax?: number | undefined;
  readonly gracefulShutdownMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** Left out: WebSocket alone. */
  readonly upgradeProtocols?: readonly string[] | undefined;
  readonly statuses: 'honest' | 'dapr';
}

const port = wholeNumber(1, 65_535);
const count = wholeNumber(0);

const appHealth: Readers<AppHealthConfig> = {
  path: text,
  intervalMs: wholeNumber(1),
  timeoutMs: wholeNumber(1),
  threshold: wholeNumber(1),
};

const podSidecar: Readers<PodSidecar> = {
  appId: parsedBy(parseAppId),
  namespace: parsedBy(parseNamespace),
  trustDomain: parsedBy(parseTrustDomain),
  controlPlaneNamespace: parsedBy(parseNamespace),
  sentryAddress: text,
  feedAddress: text,
  clusterDomain: text,
  appPort: optional(port),
  appProtocol: optional(parsedBy(parseAppProtocol)),
  appHost: text,
  appTlsServerName: optional(text),
  isAppTlsUnverified: optional(truth),
  appMaxConcurrency: optional(wholeNumber(1)),
  appHealth: optional(record(appHealth)),
  appProbes: optional(list(appProbe)),
  httpPort: port,
  grpcPort: port,
  publicPort: port,
  peerPort: port,
  metricsPort: optional(port),
  bodyBytesMax: optional(count),
  hopsMax: optional(wholeNumber(1, MOST_HOPS_MAX)),
  gracefulShutdownMs: count,
  logLevel: parsedBy(parseOneOf(LOG_LEVELS)),
  logFormat: parsedBy(parseOneOf(LOG_FORMATS)),
  allowedOrigins: texts,
  allowedHosts: texts,
  upgradeProtocols: optional(texts),
  statuses: parsedBy(parseOneOf(['honest', 'dapr'])),
};

export function printPodSidecar(config: PodSidecar): string {
  return JSON.stringify(config);
}

/** Or a sentence with every mistake in it. */
export function parsePodSidecar(text: string | undefined): Result<PodSidecar> {
  const read = parseJson(text ?? '');
  if (!read.ok) return err(`the variable ${SIDECAR_VARIABLE} is no JSON; the webhook of Invoke sets it in a pod`);
  const config = readRecord(podSidecar, read.value);
  return config.ok ? config : err(`${SIDECAR_VARIABLE} cannot be used: ${config.error.join('; ')}`);
}
