// Making a connection to somebody who is no sidecar, to the app or to an outside service: with TLS or without, and not for long.
//
//   connecting ──▶ the TLS handshake, where there is one ──▶ connected
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { codeOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { AnswerFirstSocket, answerFirst, withIntake } from '../../wire/socket-link.ts';

export interface Place {
  readonly at: TcpNetConnectOpts;
  /** Undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined;
}

export interface NotDialled {
  /** Somebody listens there, and no TLS came of it. */
  readonly isConnected: boolean;
  readonly error: Error;
}

/** What is asked for in the handshake (ALPN). */
export type Spoken = 'h2' | 'http/1.1';

/** A server that answers a SYN at all does it in that time. */
export const CONNECT_TIMEOUT_MS = 2000;
const TLS_TIMEOUT_MS = 5000;
/** Whoever reads a connection ends its other half as well (wire/). The platform's types do not know the option for TLS. */
const HALF_OPEN = { allowHalfOpen: true };

/** Calls `done` once, in a later turn: with a socket that is connected, or with why there is none. */
export function dial({ at, tls }: Place, clock: Clock, done: (dialled: Result<Socket, NotDialled>) => void): Cancel {
  const socket =
    tls === undefined
      ? new AnswerFirstSocket(HALF_OPEN).connect(at)
      : answerFirst(withIntake((reading) => connectTls({ ...at, ...HALF_OPEN, ...tls, ...reading })));
  let isConnected = false;
  let error = new Error('the connection was given up');
  const giveUpAfter = (timeoutMs: number, what: string) =>
    clock.after(timeoutMs, () => socket.destroy(new Error(`${what} took longer than ${timeoutMs} ms`)));
  let cancelTimeout = giveUpAfter(CONNECT_TIMEOUT_MS, 'connecting');
  const onError = (why: Error) => {
    error = why;
  };
  const onClose = () => {
    cancelTimeout();
    done(err({ isConnected, error }));
  };
  const ready = () => {
    cancelTimeout();
    socket.off('error', onError);
    socket.off('close', onClose);
    done(ok(socket));
  };
  socket.on('error', onError);
  socket.on('close', onClose);
  if (tls === undefined) {
    socket.once('connect', ready);
  } else {
    socket.once('connect', () => {
      isConnected = true;
      error = new Error('it closed the connection');
      cancelTimeout();
      cancelTimeout = giveUpAfter(TLS_TIMEOUT_MS, 'the TLS handshake');
    });
    socket.once('secureConnect', ready);
  }
  return () => socket.destroy();
}

/** Whatever it speaks over TLS, it is not what it was asked for. */
export function isOtherProtocol({ error }: NotDialled): boolean {
  return codeOf(error)?.includes('ALERT_NO_APPLICATION_PROTOCOL') ?? false;
}

/** What is wrong with a certificate that was shown. */
export type CertificateFlaw =
  | 'expired'
  | 'not-yet-valid'
  | 'other-name'
  | 'self-signed'
  | 'unknown-authority'
  | 'unusable';

/** Undefined: it was not the certificate. */
export function certificateFlaw({ error }: NotDialled): CertificateFlaw | undefined {
  const code = codeOf(error) ?? '';
  return FLAWS[code] ?? (/^(CERT_|CRL_|INVALID_|PATH_LENGTH_|UNSPECIFIED$)/.test(code) ? 'unusable' : undefined);
}

/** X509_V_ERR_* as the platform names them, and its own error for names. */
const FLAWS: Readonly<Record<string, CertificateFlaw>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'other-name',
  HOSTNAME_MISMATCH: 'other-name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  CERT_UNTRUSTED: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
};
