// TLS to the app: who may answer there.
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
import type { Spoken } from '../link/dial.ts';

export interface AppTlsConfig {
  /** Certificates of those who may vouch for the app, in PEM; undefined: the authorities of the platform and of this machine. */
  readonly caPem?: string | undefined;
  /** The name that the certificate has to have; undefined: the app's host. */
  readonly serverName?: string | undefined;
  /** Whatever certificate is taken. Only where it was said in so many words. */
  readonly isUnverified?: boolean | undefined;
}

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
