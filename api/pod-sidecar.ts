// How a sidecar in a pod is configured: one environment variable with JSON, which the webhook writes and the sidecar reads.
// One schema for both, so that neither can know a field that the other does not. `kubectl describe pod` shows it.
//
// Fields that a sidecar does not know are ignored: the operator may be newer than the image. On a laptop the same things are
// flags (cli/flags.ts).
//
// The small variant of zod: a sidecar reads this once, and what it has loaded stays in its memory for life.
import { en } from 'zod/locales';
import * as z from 'zod/mini';
import { parseJson } from '../kit/json.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from './ids.ts';

export const SIDECAR_VARIABLE = 'INVOKE_SIDECAR';
/** Filled from Secrets by the kubelet: a token never stands in a pod's spec. */
export const TOKEN_VARIABLES = { api: 'INVOKE_API_TOKEN', app: 'APP_API_TOKEN' } as const;

const port = z.int().check(z.gte(1), z.lte(65535));

/** The small variant has no words of its own. */
const WORDS = en().localeError;

const count = z.int().check(z.gte(0));

const podSidecar = z.object({
  appId: parsedBy(parseAppId),
  namespace: parsedBy(parseNamespace),
  trustDomain: parsedBy(parseTrustDomain),
  controlPlaneNamespace: parsedBy(parseNamespace),
  /** `host:port` of the sentry, and of the operator's feed. */
  sentryAddress: z.string(),
  feedAddress: z.string(),
  /** `cluster.local`, as a rule. */
  clusterDomain: z.string(),
  /** Left out for a program that only calls. */
  appPort: z.optional(port),
  appHost: z.string(),
  httpPort: port,
  /** Accepted; served by a later version. */
  grpcPort: port,
  publicPort: port,
  peerPort: port,
  /** Left out: no metrics. */
  metricsPort: z.optional(port),
  /** Left out: no limit. */
  bodyBytesMax: z.optional(count),
  gracefulShutdownMs: count,
  logLevel: z.enum(LOG_LEVELS),
  logFormat: z.enum(LOG_FORMATS),
  allowedOrigins: z.array(z.string()),
  allowedHosts: z.array(z.string()),
  statuses: z.enum(['honest', 'dapr']),
});

export type PodSidecar = z.output<typeof podSidecar>;

export function printPodSidecar(config: PodSidecar): string {
  return JSON.stringify(config);
}

/** Or a sentence with every mistake in it. */
export function parsePodSidecar(text: string | undefined): Result<PodSidecar> {
  const read = parseJson(text ?? '');
  if (!read.ok) return err(`the variable ${SIDECAR_VARIABLE} is no JSON; the webhook of Invoke sets it in a pod`);
  const parsed = podSidecar.safeParse(read.value, { error: WORDS });
  if (parsed.success) return ok(parsed.data);
  const mistakes = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return err(`${SIDECAR_VARIABLE} cannot be used: ${mistakes.join('; ')}`);
}

/** A string that one of our own parsers takes, with its branded type and its complaint. */
function parsedBy<T extends string>(parse: (text: string) => Result<T>) {
  return z.pipe(
    z.string(),
    z.transform((text: string, context) => {
      const parsed = parse(text);
      if (parsed.ok) return parsed.value;
      context.issues.push({ code: 'custom', message: parsed.error, input: text });
      return z.NEVER;
    }),
  );
}
