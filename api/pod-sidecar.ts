// How a sidecar in a pod is configured: one environment variable with JSON, which the webhook writes and the sidecar reads.
// One schema for both, so that neither can know a field that the other does not. `kubectl describe pod` shows it.
//
// Fields that a sidecar does not know are ignored: the operator may be newer than the image. On a laptop the same things are
// flags (cli/flags.ts).
import * as z from 'zod';
import { err, ok, type Result } from '../kit/result.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from './ids.ts';

export const SIDECAR_VARIABLE = 'INVOKE_SIDECAR';
/** Filled from Secrets by the kubelet: a token never stands in a pod's spec. */
export const TOKEN_VARIABLES = { api: 'INVOKE_API_TOKEN', app: 'APP_API_TOKEN' } as const;

const port = z.int().min(1).max(65535);

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
  appPort: port.optional(),
  appHost: z.string(),
  httpPort: port,
  /** Accepted; served by a later version. */
  grpcPort: port,
  publicPort: port,
  peerPort: port,
  /** Left out: no metrics. */
  metricsPort: port.optional(),
  /** Left out: no limit. */
  bodyBytesMax: z.int().min(0).optional(),
  gracefulShutdownMs: z.int().min(0),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
  logFormat: z.enum(['json', 'text']),
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
  const read = readJson(text ?? '');
  if (!read.ok) return err(`the variable ${SIDECAR_VARIABLE} is no JSON; the webhook of Invoke sets it in a pod`);
  const parsed = podSidecar.safeParse(read.value);
  if (parsed.success) return ok(parsed.data);
  const mistakes = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return err(`${SIDECAR_VARIABLE} cannot be used: ${mistakes.join('; ')}`);
}

function readJson(text: string): Result<unknown> {
  try {
    return ok(JSON.parse(text));
  } catch {
    return err('not JSON');
  }
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
