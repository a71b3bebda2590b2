// Mutual TLS between sidecars: what both ends demand, and who the other end is.
//
// The platform verifies the chain, the signature and the dates at a full handshake. Not enough: a resumed session is
// taken past its certificate's expiry, and host names, which it checks by default, mean nothing in a mesh. So
// resumption is off, and the SPIFFE ID, the role and the dates are read from the certificate here, at each connection.
import { constants, X509Certificate } from 'node:crypto';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { type Identity, isSameTarget, parseSpiffeId, spiffeId, type TrustDomain } from '../api/ids.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Credentials, TrustAnchors } from './svid.ts';

/** What a peer has proven of itself. */
export interface PeerCertificate {
  readonly identity: Identity;
  /** Epoch milliseconds. A connection that outlives it is to be closed. */
  readonly notAfter: number;
}

/** Whom a client means to reach. */
export interface ExpectedPeer {
  readonly identity: Identity;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const TLS_1_3_WITHOUT_TICKETS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

/**
 * For `http2.createSecureServer` or `tls.createServer`, and for `setSecureContext` on renewal. A client must show a
 * certificate that chains to the anchors; who it is, `peerIdentity` says once the socket is secure.
 */
export function serverContext(credentials: Credentials): TlsOptions {
  return {
    ...TLS_1_3_WITHOUT_TICKETS,
    ...ownCertificate(credentials),
    ca: [...credentials.anchors],
    ALPNProtocols: ['h2'],
    requestCert: true,
    rejectUnauthorized: true,
  };
}

/** Whoever reads a connection ends its other half as well (wire/). The platform's types do not know the option. */
const HALF_OPEN = { allowHalfOpen: true };

/** For `tls.connect` between sidecars. The socket fails before it is secure unless `expected` is who answers. */
export function clientOptions(credentials: Credentials, expected: ExpectedPeer): ConnectionOptions {
  return { ...anonymousClientOptions(credentials.anchors, expected), ...ownCertificate(credentials) };
}

/** As `clientOptions`, for a client that has no certificate yet. */
export function anonymousClientOptions(anchors: TrustAnchors, expected: ExpectedPeer): ConnectionOptions {
  return {
    ...TLS_1_3_WITHOUT_TICKETS,
    ...HALF_OPEN,
    ca: [...anchors],
    ALPNProtocols: ['h2'],
    rejectUnauthorized: true,
    // Takes the place of the host name check, and like it runs before any byte of ours is sent.
    checkServerIdentity: (_host, shown) => unexpectedPeer(new X509Certificate(shown.raw), expected),
  };
}

/** Who is at the other end of a socket that is secure. `trustDomain` is our own: nobody else's is trusted. */
export function peerIdentity(socket: TLSSocket, trustDomain: TrustDomain, now: number): Result<PeerCertificate> {
  if (!socket.authorized) return err('the peer showed no certificate that chains to our trust anchors');
  const certificate = socket.getPeerX509Certificate();
  return certificate ? readPeerCertificate(certificate, trustDomain, now) : err('the peer showed no certificate');
}

/**
 * The rules of X.509-SVID (section 5.2) for a leaf whose chain is verified already: no authority, in its time, and one
 * SPIFFE ID as its only name, so that no two readers can take it for two different workloads.
 */
export function readPeerCertificate(
  certificate: X509Certificate,
  trustDomain: TrustDomain,
  now: number,
): Result<PeerCertificate> {
  if (certificate.ca) return err('the certificate is that of an authority, not of a workload');
  const identity = soleSpiffeId(certificate);
  if (!identity.ok) return identity;
  if (identity.value.trustDomain !== trustDomain) {
    return err(`the certificate is for ${spiffeId(identity.value)}, outside of our trust domain ${trustDomain}`);
  }
  const inForce = checkDates(certificate, now);
  return inForce.ok ? ok({ identity: identity.value, notAfter: certificate.validToDate.getTime() }) : inForce;
}

/** The one URI in the subject alternative name. An entry beside it, of whatever type, is refused. */
export function soleSpiffeId(certificate: X509Certificate): Result<Identity> {
  // The platform prints entries as `TYPE:value, TYPE:value`; a SPIFFE ID has no comma, so a second entry breaks it.
  const names = certificate.subjectAltName;
  if (!names?.startsWith('URI:')) return err('the certificate has no SPIFFE ID as its subject alternative name');
  const identity = parseSpiffeId(names.slice('URI:'.length));
  return identity.ok ? identity : err(`the certificate's name is not ours to judge: ${identity.error}`);
}

/** A clock that is off looks like a bad certificate, so the message gives both times. */
export function checkDates(certificate: X509Certificate, now: number): Result<undefined> {
  const [from, to] = [certificate.validFromDate, certificate.validToDate];
  if (from.getTime() <= now && now < to.getTime()) return ok(undefined);
  const [verb, bound] = now < from.getTime() ? ['is not valid before', from] : ['expired at', to];
  return err(
    `the certificate ${verb} ${bound.toISOString()} and the clock here says ${new Date(now).toISOString()}; ` +
      'if the certificate is new, set the clocks right on both machines',
  );
}

const PEER_REFUSED = 'ERR_INVOKE_PEER_REFUSED';

/** X509_V_ERR_* as the platform names them (UNSPECIFIED: one that it has no name for), its host name error, and ours. */
const VERIFY_ERROR =
  /^(CERT_.*|CRL_.*|UNABLE_TO_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|UNSPECIFIED|ERR_TLS_CERT_ALTNAME_INVALID|ERR_INVOKE_PEER_REFUSED)$/;
/** Alerts about certificates, both those that we raise and those that the other end sent. */
const CERTIFICATE_ALERT = /^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR|BAD_SIGNATURE)/;

/**
 * Did a connection fail because one end did not trust the other, or did it just fail? A server on this platform that
 * finds a client's chain wanting closes without an alert, which no client can tell from a crash: that is `unreachable`.
 */
export function classifyTlsError(error: unknown): 'untrusted' | 'unreachable' {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? String(cause.code) : '';
    if (VERIFY_ERROR.test(code) || CERTIFICATE_ALERT.test(code)) return 'untrusted';
  }
  return 'unreachable';
}

function unexpectedPeer(certificate: X509Certificate, { identity, now }: ExpectedPeer): Error | undefined {
  const peer = readPeerCertificate(certificate, identity.trustDomain, now());
  if (peer.ok && isSameTarget(peer.value.identity, identity)) return undefined;
  const reason = peer.ok ? `the certificate is for ${spiffeId(peer.value.identity)}` : peer.error;
  return Object.assign(new Error(`expected ${spiffeId(identity)}, but ${reason}`), { code: PEER_REFUSED });
}

function ownCertificate({ svid }: Credentials): { cert: string; key: string } {
  return { cert: svid.chainPem, key: svid.keyPem };
}
