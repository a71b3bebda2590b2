// Where TLS connections come in to a part of the control plane. The certificate can be renewed under way.
import tls from 'node:tls';
import { type ListenAddress, type Listener, type ListenLimits, listen } from '../kit/listen.ts';
import { ok, type Result } from '../kit/result.ts';
import type { Credentials } from './svid.ts';
import { serverContext } from './tls.ts';

export interface TlsListener extends Listener {
  /** New connections are met with these. */
  renew(credentials: Credentials): void;
}

export interface TlsListenOptions extends ListenLimits {
  /** `required`: without a certificate that chains to our anchors there is no connection. */
  readonly clientCertificate: 'required' | 'not-asked';
}

const TLS_HANDSHAKE_MS = 5000;

/** `accept` is given connections that are secure. Without credentials every handshake fails, until there are some. */
export async function listenOnTls(
  { host, port }: ListenAddress,
  credentials: Credentials | undefined,
  { clientCertificate, ...limits }: TlsListenOptions,
  accept: (connection: tls.TLSSocket) => void,
): Promise<Result<TlsListener>> {
  const isRequired = clientCertificate === 'required';
  // What is of the server and not of its secure context has to be said here: `setSecureContext` would not take it.
  const server = tls.createServer(
    {
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
      handshakeTimeout: TLS_HANDSHAKE_MS,
      requestCert: isRequired,
      rejectUnauthorized: isRequired,
    },
    accept,
  );
  if (credentials !== undefined) server.setSecureContext(serverContext(credentials));
  // A handshake that timed out leaves its socket to us.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const bound = await listen(server, { host, port }, limits);
  if (!bound.ok) return bound;
  return ok({ ...bound.value, renew: (renewed) => server.setSecureContext(serverContext(renewed)) });
}
