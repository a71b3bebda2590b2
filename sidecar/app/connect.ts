// Connecting to the app: it is on this machine, and is there at once or not at all.
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, type Result } from '../../kit/result.ts';
import {
  type CertificateFlaw,
  CONNECT_TIMEOUT_MS,
  certificateFlaw,
  dial,
  isOtherProtocol,
  type NotDialled,
} from '../link/dial.ts';
import { loopbackFirst } from './address.ts';
import type { AppTlsOptions } from './tls.ts';

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
  { host, port, tls }: AppAddress,
  clock: Clock,
  done: (connected: Result<Socket, ConnectProblem>) => void,
): Cancel {
  const at = { host, port, lookup: loopbackFirst, ...ONE_ADDRESS_AFTER_THE_OTHER };
  return dial({ at, tls: tls?.() }, clock, (dialled) => done(dialled.ok ? dialled : err(problemOf(dialled.error))));
}

function problemOf(failed: NotDialled): ConnectProblem {
  const cause = causeOf(failed.error);
  if (!failed.isConnected) return { kind: 'no-connection', cause };
  const flaw = certificateFlaw(failed);
  if (flaw !== undefined) return { kind: 'untrusted', flaw, cause };
  return { kind: isOtherProtocol(failed) ? 'other-protocol' : 'no-tls', cause };
}

/** Where several addresses have failed, the platform's error says nothing by itself. */
function causeOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
}
