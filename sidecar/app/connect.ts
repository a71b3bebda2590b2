// Connecting to the app: it is on this machine, and is there at once or not at all.
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { AnswerFirstSocket } from '../../wire/socket-link.ts';
import { loopbackFirst } from './address.ts';

export interface AppAddress {
  readonly host: string;
  readonly port: number;
}

const CONNECT_TIMEOUT_MS = 2000;
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
  { host, port }: AppAddress,
  clock: Clock,
  done: (connected: Result<Socket, string>) => void,
): Cancel {
  const socket = new AnswerFirstSocket({ allowHalfOpen: true });
  let cause = 'the connection was given up';
  const cancelTimeout = clock.after(CONNECT_TIMEOUT_MS, () => {
    socket.destroy(new Error(`connecting took longer than ${CONNECT_TIMEOUT_MS} ms`));
  });
  const onError = (error: Error) => {
    cause = causeOf(error);
  };
  const onClose = () => {
    cancelTimeout();
    done(err(cause));
  };
  socket.on('error', onError);
  socket.on('close', onClose);
  socket.once('connect', () => {
    cancelTimeout();
    socket.off('error', onError);
    socket.off('close', onClose);
    done(ok(socket));
  });
  socket.connect({ host, port, lookup: loopbackFirst, ...ONE_ADDRESS_AFTER_THE_OTHER });
  return () => socket.destroy();
}

/** Where several addresses have failed, the platform's error says nothing by itself. */
function causeOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
}
