// The environment that configures a sentry in the cluster, variable by variable; the chart sets it.
import { type Namespace, parseNamespace, parseTrustDomain, type TrustDomain } from '../api/ids.ts';
import { CONTROL_PLANE_PORTS } from '../api/pod.ts';
import { type Environment, parseOptional, readEnvironment } from '../kit/environment.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../kit/log.ts';
import { parseDuration } from '../kit/quantity.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { parseListenPort, parseObjectName, parseOneOf } from '../kit/values.ts';
import type { ProgramConfig } from '../kube/program.ts';
import { CERT_TTL_MIN_MS } from './sign/sign.ts';

export interface PodConfig extends ProgramConfig {
  /** Our own namespace. */
  readonly namespace: Namespace;
  /** This replica's name, unique: the pod's. */
  readonly replica: string;
  readonly trustDomain: TrustDomain;
  /** The Secret in our namespace that holds the authority; the chart makes it, empty. */
  readonly caSecret: string;
  readonly workloadCertTtlMs: number;
  readonly ports: { readonly sentry: number; readonly health: number; readonly metrics: number };
}

const VARIABLES = {
  INVOKE_NAMESPACE: { parse: parseNamespace },
  POD_NAME: { parse: parseObjectName },
  INVOKE_TRUST_DOMAIN: { parse: parseTrustDomain, initially: 'cluster.local' },
  INVOKE_CA_SECRET: { parse: parseObjectName, initially: 'invoke-ca' },
  INVOKE_WORKLOAD_CERT_TTL: { parse: parseTtl, initially: '24h' },
  // Port 0 is any free one: for tries by hand, of several replicas on one machine.
  INVOKE_SENTRY_PORT: { parse: parseListenPort, initially: `${CONTROL_PLANE_PORTS.sentry}` },
  INVOKE_HEALTH_PORT: { parse: parseListenPort, initially: `${CONTROL_PLANE_PORTS.health}` },
  INVOKE_METRICS_PORT: { parse: parseListenPort, initially: `${CONTROL_PLANE_PORTS.metrics}` },
  INVOKE_LOG_LEVEL: { parse: parseOneOf(LOG_LEVELS), initially: 'info' },
  INVOKE_LOG_FORMAT: { parse: parseOneOf(LOG_FORMATS), initially: 'json' },
  /** For development, outside of a cluster. */
  KUBECONFIG: { parse: parseOptional, initially: '' },
};

/** Or every mistake, one sentence each. */
export function readConfig(environment: Environment): Result<PodConfig, readonly string[]> {
  const values = readEnvironment(VARIABLES, environment, "the chart sets it in the sentry's Deployment");
  if (!values.ok) return values;
  const read = values.value;
  return ok({
    namespace: read.INVOKE_NAMESPACE,
    replica: read.POD_NAME,
    trustDomain: read.INVOKE_TRUST_DOMAIN,
    caSecret: read.INVOKE_CA_SECRET,
    workloadCertTtlMs: read.INVOKE_WORKLOAD_CERT_TTL,
    ports: {
      sentry: read.INVOKE_SENTRY_PORT,
      health: read.INVOKE_HEALTH_PORT,
      metrics: read.INVOKE_METRICS_PORT,
    },
    log: { level: read.INVOKE_LOG_LEVEL, format: read.INVOKE_LOG_FORMAT },
    kubeconfig: read.KUBECONFIG,
  });
}

function parseTtl(text: string): Result<number> {
  const ttlMs = parseDuration(text);
  if (!ttlMs.ok || ttlMs.value >= CERT_TTL_MIN_MS) return ttlMs;
  return err(`"${excerpt(text)}" is too short a life for a certificate; use 10s or more, such as 24h`);
}
