// TLS to the app: who may answer there, and what is wrong with the certificate of one that may not.
//
// What is believed is the user's to say: a CA of theirs, or else the authorities of the platform and of this machine. Sessions are
// not resumed: a resumed one would be taken past its certificate's end.
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';

export interface AppTlsConfig {
  /** Certificates of those who may vouch for the app, in PEM; undefined: the authorities of the platform and of this machine. */
  readonly caPem?: string | undefined;
  /** The name that the certificate has to have; undefined: the app's host. */
  readonly serverName?: string | undefined;
  /** Whatever certificate is taken. Only where it was said in so many words. */
  readonly isUnverified?: boolean | undefined;
}

/** What is asked for in the handshake (ALPN). */
export type Spoken = 'h2' | 'http/1.1';

/** For `tls.connect`, at each connection. */
export type AppTlsOptions = () => ConnectionOptions;

export function appTlsOptions(config: AppTlsConfig, host: string, spoken: Spoken): AppTlsOptions {
  const name = config.serverName ?? host;
  const isVerified = config.isUnverified !== true;
  const names = config.serverName === undefined && host === 'localhost' ? LOOPBACK_NAMES : [name];
  const options: ConnectionOptions = {
    ALPNProtocols: [spoken],
    rejectUnauthorized: isVerified,
    // An address is no name to ask for (RFC 6066, 3).
    servername: isIP(name) === 0 ? name : '',
    checkServerIdentity: (_name, shown) => nameProblem(names, shown),
  };
  // Made when it is needed: reading all the authorities of a machine takes a while.
  let secureContext: SecureContext | undefined;
  return () => {
    secureContext ??= createSecureContext({
      minVersion: 'TLSv1.2',
      ...(isVerified && { ca: config.caPem ?? machineAuthorities() }),
    });
    return { ...options, secureContext };
  };
}

/** An app on loopback is what its certificate says of any of these. */
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

/** Those that Node comes with, those of NODE_EXTRA_CA_CERTS, and those that somebody installed on this machine. */
function machineAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** In the platform's words, of the first name. */
function nameProblem([first = '', ...others]: readonly string[], shown: PeerCertificate): Error | undefined {
  const problem = checkServerIdentity(first, shown);
  if (problem === undefined) return undefined;
  return others.some((name) => checkServerIdentity(name, shown) === undefined) ? undefined : problem;
}

/** What is wrong with a certificate that was shown. */
export type CertificateFlaw = 'expired' | 'not-yet-valid' | 'other-name' | 'unknown-authority' | 'unusable';

/** Undefined: it was not the certificate. */
export function certificateFlaw(code: string): CertificateFlaw | undefined {
  return FLAWS[code] ?? (/^(CERT_|CRL_|INVALID_|PATH_LENGTH_|UNSPECIFIED$)/.test(code) ? 'unusable' : undefined);
}

/** X509_V_ERR_* as the platform names them, and its own error for names. */
const FLAWS: Readonly<Record<string, CertificateFlaw>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'other-name',
  HOSTNAME_MISMATCH: 'other-name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  CERT_UNTRUSTED: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
};
