// Where TLS connections come in to a part of the control plane. The certificate can be renewed under way.
import tls from 'node:tls';
import { type ListenAddress, type Listener, listen } from '../kit/listen.ts';
import { ok, type Result } from '../kit/result.ts';
import type { Credentials } from './svid.ts';
import { serverContext } from './tls.ts';

export interface TlsListener extends Listener {
  /** New connections are met with these. */
  renew(credentials: Credentials): void;
}

export interface TlsListenOptions {
  /** `required`: without a certificate that chains to our anchors there is no connection. */
  readonly clientCertificate: 'required' | 'not-asked';
  readonly connectionsMax: number;
}

const TLS_HANDSHAKE_MS = 5000;

/** `accept` is given connections that are secure and ready to carry HTTP/2. */
export async function listenOnTls(
  { host, port }: ListenAddress,
  credentials: Credentials,
  { clientCertificate, connectionsMax }: TlsListenOptions,
  accept: (connection: tls.TLSSocket) => void,
): Promise<Result<TlsListener>> {
  const isRequired = clientCertificate === 'required';
  const context = { ...serverContext(credentials), requestCert: isRequired, rejectUnauthorized: isRequired };
  const server = tls.createServer({ ...context, handshakeTimeout: TLS_HANDSHAKE_MS }, accept);
  // A handshake that timed out leaves its socket to us.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const bound = await listen(server, { host, port }, { connectionsMax });
  if (!bound.ok) return bound;
  return ok({ ...bound.value, renew: (renewed) => server.setSecureContext(serverContext(renewed)) });
}
