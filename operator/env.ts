// The environment that configures the operator, variable by variable; the chart sets it. main.ts hands it in, and nothing past
// this point reads it. Every mistake is told at once.
//
//   INVOKE_NAMESPACE                  our own namespace (metadata.namespace)
//   POD_NAME                          this replica's name (metadata.name)
//   INVOKE_TRUST_DOMAIN               such as cluster.local
//   INVOKE_CLUSTER_DOMAIN             such as cluster.local
//   INVOKE_MUTATING_WEBHOOK           name of the MutatingWebhookConfiguration whose caBundle we keep
//   INVOKE_VALIDATING_WEBHOOK         name of the ValidatingWebhookConfiguration, likewise
//   INVOKE_SIDECAR_IMAGE              what an injected container runs
//   INVOKE_SIDECAR_IMAGE_PULL_POLICY  Always, IfNotPresent or Never; IfNotPresent by default
//   INVOKE_SIDECAR_DEFAULTS           JSON object: annotations without their prefix; none by default
//   INVOKE_WEBHOOK_PORT, INVOKE_FEED_PORT, INVOKE_HEALTH_PORT, INVOKE_METRICS_PORT    as in api/pod.ts by default
//   INVOKE_LOG_LEVEL, INVOKE_LOG_FORMAT    info and json by default
import * as z from 'zod';
import { parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { CONTROL_PLANE_PORTS } from '../api/pod.ts';
import { parseJson } from '../kit/json.ts';
import { LOG_LEVELS } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { OperatorConfig } from './config.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const schema = z.object({
  INVOKE_NAMESPACE: parsedBy(parseNamespace),
  POD_NAME: z.string(),
  INVOKE_TRUST_DOMAIN: parsedBy(parseTrustDomain),
  INVOKE_CLUSTER_DOMAIN: z.string(),
  INVOKE_MUTATING_WEBHOOK: z.string(),
  INVOKE_VALIDATING_WEBHOOK: z.string(),
  INVOKE_SIDECAR_IMAGE: z.string(),
  INVOKE_SIDECAR_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  INVOKE_SIDECAR_DEFAULTS: z.string().default('{}').transform(readDefaults),
  INVOKE_WEBHOOK_PORT: port(CONTROL_PLANE_PORTS.webhook),
  INVOKE_FEED_PORT: port(CONTROL_PLANE_PORTS.feed),
  INVOKE_HEALTH_PORT: port(CONTROL_PLANE_PORTS.health),
  INVOKE_METRICS_PORT: port(CONTROL_PLANE_PORTS.metrics),
  INVOKE_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  INVOKE_LOG_FORMAT: z.enum(['json', 'text']).default('json'),
});

/** Or every mistake, one sentence each, with the variable's name. A variable that is set to nothing counts as not set. */
export function readEnvironment(environment: Environment): Result<OperatorConfig, readonly string[]> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) return err(parsed.error.issues.map((issue) => explain(issue, given)));
  const read = parsed.data;
  return ok({
    namespace: read.INVOKE_NAMESPACE,
    replica: read.POD_NAME,
    trustDomain: read.INVOKE_TRUST_DOMAIN,
    clusterDomain: read.INVOKE_CLUSTER_DOMAIN,
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
  });
}

function explain({ path, message }: z.core.$ZodIssue, given: Environment): string {
  const name = String(path[0]);
  if (given[name] === undefined) return `${name} is not set; the chart sets it in the operator's Deployment`;
  return `${name} cannot be used: ${message}`;
}

/** A string that one of our own parsers takes, with its branded type and its complaint. */
function parsedBy<T extends string>(parse: (text: string) => Result<T>) {
  return z.string().transform((text, context) => {
    const parsed = parse(text);
    if (parsed.ok) return parsed.value;
    context.addIssue(parsed.error);
    return z.NEVER;
  });
}

function port(byDefault: number) {
  return z
    .string()
    .regex(/^\d{1,5}$/, 'it is no port; write a number from 1 to 65535')
    .transform(Number)
    .pipe(z.int().min(1).max(65535))
    .default(byDefault);
}

function readDefaults(text: string, context: z.RefinementCtx): Record<string, string> {
  const json = parseJson(text);
  const parsed = z.record(z.string(), z.string()).safeParse(json.ok ? json.value : undefined);
  if (parsed.success) return parsed.data;
  context.addIssue('it has to be a JSON object of strings, such as {"log-level":"info"}');
  return z.NEVER;
}
