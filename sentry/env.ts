// The environment of a sentry in the cluster, which the chart sets: read here, and nowhere else.

import { type Namespace, parseNamespace, parseTrustDomain, type TrustDomain } from '../api/ids.ts';
import { CONTROL_PLANE_PORTS } from '../api/pod.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '../kit/log.ts';
import { parseDuration } from '../kit/quantity.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { parseListenPort, parseObjectName, parseOneOf } from '../kit/values.ts';
import { CERT_TTL_MIN_MS } from './sign/sign.ts';

export interface PodConfig {
  /** Our own namespace. */
  readonly namespace: Namespace;
  /** This replica's name, unique: the pod's. */
  readonly replica: string;
  readonly trustDomain: TrustDomain;
  /** The Secret in our namespace that holds the authority; the chart makes it, empty. */
  readonly caSecret: string;
  readonly workloadCertTtlMs: number;
  readonly ports: { readonly sentry: number; readonly health: number; readonly metrics: number };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** A kubeconfig file; undefined: the ServiceAccount of the pod. */
  readonly kubeconfig: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;
type Parse<T> = (text: string) => Result<T>;

/** What is left out has a default, except our namespace and our name, which only the pod knows. */
const DEFAULTS: Env = {
  INVOKE_TRUST_DOMAIN: 'cluster.local',
  INVOKE_CA_SECRET: 'invoke-ca',
  INVOKE_WORKLOAD_CERT_TTL: '24h',
  INVOKE_SENTRY_PORT: `${CONTROL_PLANE_PORTS.sentry}`,
  INVOKE_HEALTH_PORT: `${CONTROL_PLANE_PORTS.health}`,
  INVOKE_METRICS_PORT: `${CONTROL_PLANE_PORTS.metrics}`,
  INVOKE_LOG_LEVEL: 'info',
  INVOKE_LOG_FORMAT: 'json',
};

/** Or every mistake, one sentence each, with the variable's name. */
export function readEnv(env: Env): Result<PodConfig, readonly string[]> {
  const mistakes: string[] = [];
  function read<T>(name: string, parse: Parse<T>): T | undefined {
    const parsed = parse(env[name] || DEFAULTS[name] || '');
    if (parsed.ok) return parsed.value;
    mistakes.push(`${name}: ${parsed.error}`);
    return undefined;
  }
  const namespace = read('INVOKE_NAMESPACE', parseNamespace);
  const replica = read('POD_NAME', parseObjectName);
  const trustDomain = read('INVOKE_TRUST_DOMAIN', parseTrustDomain);
  const caSecret = read('INVOKE_CA_SECRET', parseObjectName);
  const workloadCertTtlMs = read('INVOKE_WORKLOAD_CERT_TTL', parseTtl);
  const sentry = read('INVOKE_SENTRY_PORT', parseListenPort);
  const health = read('INVOKE_HEALTH_PORT', parseListenPort);
  const metrics = read('INVOKE_METRICS_PORT', parseListenPort);
  const level = read('INVOKE_LOG_LEVEL', parseOneOf(LOG_LEVELS));
  const format = read('INVOKE_LOG_FORMAT', parseOneOf(['json', 'text']));
  if (
    namespace === undefined ||
    replica === undefined ||
    trustDomain === undefined ||
    caSecret === undefined ||
    workloadCertTtlMs === undefined ||
    sentry === undefined ||
    health === undefined ||
    metrics === undefined ||
    level === undefined ||
    format === undefined
  ) {
    return err(mistakes);
  }
  const ports = { sentry, health, metrics };
  const kubeconfig = env.KUBECONFIG || undefined;
  return ok({
    namespace,
    replica,
    trustDomain,
    caSecret,
    workloadCertTtlMs,
    ports,
    log: { level, format },
    kubeconfig,
  });
}

function parseTtl(text: string): Result<number> {
  const ttlMs = parseDuration(text);
  if (!ttlMs.ok || ttlMs.value >= CERT_TTL_MIN_MS) return ttlMs;
  return err(`"${excerpt(text)}" is too short a life for a certificate; use 10s or more, such as 24h`);
}
