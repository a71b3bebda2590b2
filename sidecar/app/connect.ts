// Connecting to the app: it is on this machine, and is there at once or not at all.
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { AnswerFirstSocket, answerFirst } from '../../wire/socket-link.ts';
import { loopbackFirst } from './address.ts';
import { type AppTlsOptions, type CertificateFlaw, certificateFlaw } from './tls.ts';

export interface AppAddress {
  readonly host: string;
  readonly port: number;
  /** Undefined: without TLS. */
  readonly tls?: AppTlsOptions | undefined;
}

/** Why there is no connection. */
export type ConnectProblem =
  | { readonly kind: 'no-connection'; readonly cause: string }
  /** Somebody listens there, and no TLS came of it. */
  | { readonly kind: 'no-tls'; readonly cause: string }
  /** Whatever the app speaks over TLS, it is not what it was asked for. */
  | { readonly kind: 'other-protocol'; readonly cause: string }
  | { readonly kind: 'untrusted'; readonly flaw: CertificateFlaw; readonly cause: string };

const CONNECT_TIMEOUT_MS = 2000;
const TLS_TIMEOUT_MS = 5000;
/**
 * The next address is tried when one has refused. The platform would also go on when 250 ms have passed, which they have
 * after any hiccup of this process, and then the refusal of ::1 hides that 127.0.0.1 was about to answer.
 */
const ONE_ADDRESS_AFTER_THE_OTHER = {
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: CONNECT_TIMEOUT_MS,
} as const;

/** Calls `done` once, in a later turn: with a socket that is connected, or with why there is none. */
export function connectToApp(
  address: AppAddress,
  clock: Clock,
  done: (connected: Result<Socket, ConnectProblem>) => void,
): Cancel {
  const { socket, ready } = address.tls === undefined ? plain(address) : secured(address, address.tls);
  let problem: ConnectProblem = { kind: 'no-connection', cause: 'the connection was given up' };
  let isConnected = false;
  const timeout = (timeoutMs: number, what: string) =>
    clock.after(timeoutMs, () => socket.destroy(new Error(`${what} took longer than ${timeoutMs} ms`)));
  let cancelTimeout = timeout(CONNECT_TIMEOUT_MS, 'connecting');
  const onError = (error: Error) => {
    problem = isConnected ? tlsProblem(error) : { kind: 'no-connection', cause: causeOf(error) };
  };
  const onClose = () => {
    cancelTimeout();
    done(err(problem));
  };
  socket.on('error', onError);
  socket.on('close', onClose);
  if (ready !== 'connect') {
    socket.once('connect', () => {
      isConnected = true;
      problem = { kind: 'no-tls', cause: 'it closed the connection' };
      cancelTimeout();
      cancelTimeout = timeout(TLS_TIMEOUT_MS, 'the handshake');
    });
  }
  socket.once(ready, () => {
    cancelTimeout();
    socket.off('error', onError);
    socket.off('close', onClose);
    done(ok(socket));
  });
  return () => socket.destroy();
}

/** A socket on its way, and the event at which it can be used. */
interface Connecting {
  readonly socket: Socket;
  readonly ready: 'connect' | 'secureConnect';
}

function plain({ host, port }: AppAddress): Connecting {
  const socket = new AnswerFirstSocket({ allowHalfOpen: true });
  socket.connect({ host, port, lookup: loopbackFirst, ...ONE_ADDRESS_AFTER_THE_OTHER });
  return { socket, ready: 'connect' };
}

function secured({ host, port }: AppAddress, tls: AppTlsOptions): Connecting {
  const to = { host, port, lookup: loopbackFirst, ...ONE_ADDRESS_AFTER_THE_OTHER };
  // The platform's types do not know that a TLS socket, too, may be half open.
  const halfOpen = { allowHalfOpen: true };
  const socket = answerFirst(connectTls({ ...to, ...halfOpen, ...tls() }));
  return { socket, ready: 'secureConnect' };
}

const OTHER_PROTOCOL = /ALERT_NO_APPLICATION_PROTOCOL/;

function tlsProblem(error: Error): ConnectProblem {
  const code = 'code' in error ? String(error.code) : '';
  const flaw = certificateFlaw(code);
  if (flaw !== undefined) return { kind: 'untrusted', flaw, cause: causeOf(error) };
  return { kind: OTHER_PROTOCOL.test(code) ? 'other-protocol' : 'no-tls', cause: causeOf(error) };
}

/** Where several addresses have failed, the platform's error says nothing by itself. */
function causeOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
}
