// The environment that configures the operator, variable by variable; the chart sets it.
import * as z from 'zod';
import { parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { CONTROL_PLANE_PORTS } from '../api/pod.ts';
import { type Environment, parseOptional, parseText, readEnvironment } from '../kit/environment.ts';
import { parseJson } from '../kit/json.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseOneOf, parsePort } from '../kit/values.ts';
import type { OperatorConfig } from './config.ts';

const VARIABLES = {
  /** Our own namespace (metadata.namespace), and this replica's name (metadata.name). */
  INVOKE_NAMESPACE: { parse: parseNamespace },
  POD_NAME: { parse: parseText },
  INVOKE_TRUST_DOMAIN: { parse: parseTrustDomain },
  INVOKE_CLUSTER_DOMAIN: { parse: parseText },
  /** Where neither an AccessPolicy nor the namespace says anything. */
  INVOKE_DEFAULT_ACCESS: { parse: parseOneOf(['allow', 'deny']), initially: 'allow' },
  /** Names of the webhook configurations whose caBundle we keep. */
  INVOKE_MUTATING_WEBHOOK: { parse: parseText },
  INVOKE_VALIDATING_WEBHOOK: { parse: parseText },
  /** What an injected container runs. */
  INVOKE_SIDECAR_IMAGE: { parse: parseText },
  INVOKE_SIDECAR_IMAGE_PULL_POLICY: {
    parse: parseOneOf(['Always', 'IfNotPresent', 'Never']),
    initially: 'IfNotPresent',
  },
  INVOKE_SIDECAR_DEFAULTS: { parse: parseDefaults, initially: '{}' },
  INVOKE_WEBHOOK_PORT: { parse: parsePort, initially: `${CONTROL_PLANE_PORTS.webhook}` },
  INVOKE_FEED_PORT: { parse: parsePort, initially: `${CONTROL_PLANE_PORTS.feed}` },
  INVOKE_HEALTH_PORT: { parse: parsePort, initially: `${CONTROL_PLANE_PORTS.health}` },
  INVOKE_METRICS_PORT: { parse: parsePort, initially: `${CONTROL_PLANE_PORTS.metrics}` },
  INVOKE_LOG_LEVEL: { parse: parseOneOf(LOG_LEVELS), initially: 'info' },
  INVOKE_LOG_FORMAT: { parse: parseOneOf(LOG_FORMATS), initially: 'json' },
  /** For development, outside of a cluster. */
  KUBECONFIG: { parse: parseOptional, initially: '' },
};

/** Or every mistake, one sentence each. */
export function readConfig(environment: Environment): Result<OperatorConfig, readonly string[]> {
  const values = readEnvironment(VARIABLES, environment, "the chart sets it in the operator's Deployment");
  if (!values.ok) return values;
  const read = values.value;
  return ok({
    namespace: read.INVOKE_NAMESPACE,
    replica: read.POD_NAME,
    trustDomain: read.INVOKE_TRUST_DOMAIN,
    clusterDomain: read.INVOKE_CLUSTER_DOMAIN,
    defaultAccess: read.INVOKE_DEFAULT_ACCESS,
    mutatingWebhook: read.INVOKE_MUTATING_WEBHOOK,
    validatingWebhook: read.INVOKE_VALIDATING_WEBHOOK,
    sidecar: {
      image: read.INVOKE_SIDECAR_IMAGE,
      imagePullPolicy: read.INVOKE_SIDECAR_IMAGE_PULL_POLICY,
      defaults: read.INVOKE_SIDECAR_DEFAULTS,
    },
    ports: {
      webhook: read.INVOKE_WEBHOOK_PORT,
      feed: read.INVOKE_FEED_PORT,
      health: read.INVOKE_HEALTH_PORT,
      metrics: read.INVOKE_METRICS_PORT,
    },
    log: { level: read.INVOKE_LOG_LEVEL, format: read.INVOKE_LOG_FORMAT },
    kubeconfig: read.KUBECONFIG,
  });
}

/** Annotations without their prefix. */
function parseDefaults(text: string): Result<Readonly<Record<string, string>>> {
  const json = parseJson(text);
  const parsed = z.record(z.string(), z.string()).safeParse(json.ok ? json.value : undefined);
  return parsed.success ? ok(parsed.data) : err('it has to be a JSON object of strings, such as {"log-level":"info"}');
}
