// `invokectl sentry`: a certificate authority for sidecars on several machines, in the foreground.
import { resolve } from 'node:path';
import { parseTrustDomain } from '../api/ids.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseHostPort } from '../kit/values.ts';
import type { JwksConfig } from '../sentry/attest/jwks.ts';
import { configMistakes, type SentryConfig, WORKLOAD_CERT_TTL_MS } from '../sentry/config.ts';
import { EXIT, type Host, say } from './host.ts';
import { openLog } from './host-sidecar.ts';
import { parseTtl } from './values.ts';

/** As commander hands them over. */
export interface SentryOptions {
  readonly state: string;
  readonly listen: string;
  readonly trustDomain: string;
  readonly workloadCertTtl?: string;
  readonly insecure?: boolean;
  readonly jwksFile?: string;
  readonly jwksUrl?: string;
  readonly jwksAudience?: string;
  readonly jwksIssuer?: string;
}

export async function sentryCommand(options: SentryOptions, host: Host): Promise<number> {
  const config = readSentryConfig(options, host.cwd);
  if (!config.ok) {
    for (const mistake of config.error) say(host, mistake);
    return EXIT.usage;
  }
  const log = openLog({ level: 'info', format: 'text' }, host);
  const stopped = new Promise<void>((resolve) => host.onSignal(() => resolve()));
  // Loaded when it is needed: its libraries are large.
  const { startSentry } = await import('../sentry/sentry.ts');
  const started = await startSentry(config.value, { clock: host.clock, processes: host.processes, log });
  if (!started.ok) {
    say(host, started.error.message);
    return EXIT.failed;
  }
  log.info('sidecars trust this authority by its anchors', { trustAnchorsFile: started.value.trustAnchorsFile });
  await stopped;
  await started.value.stop();
  return EXIT.ok;
}

/** Or every mistake, one sentence each. */
export function readSentryConfig(options: SentryOptions, cwd: string): Result<SentryConfig, readonly string[]> {
  const trustDomain = parseTrustDomain(options.trustDomain);
  const listen = parseListen(options.listen);
  const ttl = options.workloadCertTtl === undefined ? ok(WORKLOAD_CERT_TTL_MS) : parseTtl(options.workloadCertTtl);
  const jwks = readJwks(options, cwd);
  const mistakes = [
    ...(trustDomain.ok ? [] : [`--trust-domain: ${trustDomain.error}`]),
    ...(listen.ok ? [] : [`--listen: ${listen.error}`]),
    ...(ttl.ok ? [] : [`--workload-cert-ttl: ${ttl.error}`]),
    ...(jwks.ok ? [] : jwks.error),
  ];
  if (!trustDomain.ok || !listen.ok || !ttl.ok || !jwks.ok) return err(mistakes);
  const config: SentryConfig = {
    stateDirectory: resolve(cwd, options.state),
    trustDomain: trustDomain.value,
    listen: listen.value,
    workloadCertTtlMs: ttl.value,
    validators: { insecure: options.insecure === true, jwks: jwks.value },
  };
  const further = configMistakes(config);
  return further.length > 0 ? err(further) : ok(config);
}

/** Port 0 is any free one, which the log names. */
function parseListen(text: string): Result<{ host: string; port: number }> {
  const isAnyPort = text.endsWith(':0');
  const address = parseHostPort(isAnyPort ? text.replace(/:0$/, ':1') : text);
  return address.ok && isAnyPort ? ok({ host: address.value.host, port: 0 }) : address;
}

function readJwks(options: SentryOptions, cwd: string): Result<JwksConfig | undefined, readonly string[]> {
  const { jwksFile, jwksUrl, jwksAudience: audience, jwksIssuer: issuer } = options;
  if (jwksFile !== undefined && jwksUrl !== undefined) return err(['--jwks-file and --jwks-url: give one of the two']);
  if (jwksFile !== undefined) return ok({ keys: { kind: 'file', path: resolve(cwd, jwksFile) }, audience, issuer });
  if (jwksUrl !== undefined) {
    const url = URL.canParse(jwksUrl) ? new URL(jwksUrl) : undefined;
    if (url === undefined) return err([`--jwks-url: "${jwksUrl}" is not a URL`]);
    return ok({ keys: { kind: 'url', url }, audience, issuer });
  }
  const orphans = [audience === undefined ? '' : '--jwks-audience', issuer === undefined ? '' : '--jwks-issuer'];
  const given = orphans.filter((flag) => flag !== '');
  if (given.length > 0) return err(given.map((flag) => `${flag}: it goes with --jwks-file or --jwks-url`));
  return ok(undefined);
}
