// Everything a sentry needs to know before it starts. Whoever starts one makes this from flags and environment; nothing
// past this point reads either.
import { isIP } from 'node:net';
import type { TrustDomain } from '../api/ids.ts';
import type { ListenAddress } from '../kit/listen.ts';
import type { JwksConfig } from './attest/jwks.ts';
import { CERT_TTL_MIN_MS } from './sign/sign.ts';

export interface SentryConfig {
  /** Holds the keys; made with mode 0700. */
  readonly stateDirectory: string;
  readonly trustDomain: TrustDomain;
  /** A Unix socket in a folder that only its owner may enter; plain, for this user's own processes. */
  readonly socketPath?: string | undefined;
  /** TCP, with TLS. */
  readonly listen?: ListenAddress | undefined;
  /** Plain HTTP: GET /healthz. */
  readonly health?: ListenAddress | undefined;
  /** At least 10 s; certificates are renewed at half of it. */
  readonly workloadCertTtlMs: number;
  readonly validators: {
    /** Believes whoever asks. Only for a socket or loopback, where the machine's user is the boundary. */
    readonly insecure: boolean;
    readonly jwks?: JwksConfig | undefined;
  };
}

export const WORKLOAD_CERT_TTL_MS = 24 * 3_600_000;

/** Every mistake at once; empty when there is none. */
export function configMistakes(config: SentryConfig): readonly string[] {
  const { listen, validators } = config;
  const mistakes: string[] = [];
  if (config.socketPath === undefined && listen === undefined) {
    mistakes.push('there is nothing to listen on; give a socket path, an address, or both');
  }
  if (!validators.insecure && !validators.jwks) {
    mistakes.push(
      'nobody could get a certificate; say whom to believe: --jwks-file or --jwks-url, or --insecure on this machine alone',
    );
  }
  if (validators.insecure && listen && !isLoopback(listen.host)) {
    mistakes.push(
      `the insecure validator would give any identity to anybody who reaches ${listen.host}; ` +
        'listen on 127.0.0.1, or give --jwks-file or --jwks-url instead of --insecure',
    );
  }
  if (!(config.workloadCertTtlMs >= CERT_TTL_MIN_MS)) {
    mistakes.push(`certificates must live at least 10s, not ${config.workloadCertTtlMs} ms`);
  }
  const url = validators.jwks?.keys.kind === 'url' ? validators.jwks.keys.url : undefined;
  if (url && url.protocol !== 'https:') {
    mistakes.push(`keys fetched from ${url.href} could be anybody's; use an https URL or a file`);
  }
  return mistakes;
}

/** Literal loopback addresses, and the one name that this project takes to be 127.0.0.1. */
export function isLoopback(host: string): boolean {
  const plain = host.startsWith('::ffff:') ? host.slice('::ffff:'.length) : host;
  return host === 'localhost' || host === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}
