// What can go wrong between a sidecar and its app, in words for the caller.
import type { Call } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { targetName } from '../../api/ids.ts';
import type { WireFailure } from '../../wire/message.ts';

export function noAppPort({ target }: Call): Fault {
  const message = `${targetName(target)} has no app port, so it takes no calls; start it with --app-port.`;
  return fault('app-unreachable', message);
}

export function appUnreachable({ target }: Call, port: number, cause: string): Fault {
  const message = `${targetName(target)} does not listen on its app port ${port}; nothing reached it. Is the app still starting, or does it listen elsewhere (--app-port)?`;
  return fault('app-unreachable', message, cause);
}

/** From the moment that a request is given to a connection, nobody can tell what the app has seen of it. */
export function appBroke({ target }: Call, { kind, reason }: WireFailure): Fault {
  const message = `the connection to the app of ${targetName(target)} broke before its answer was complete; it may have seen the call. Look at the app's log.`;
  return fault('app-broke', message, `${CAUSES[kind]}: ${reason}`);
}

const CAUSES: Readonly<Record<WireFailure['kind'], string>> = {
  malformed: 'its answer is not HTTP/1.1',
  limit: 'its answer goes past a limit',
  reset: 'the connection ended in the middle of its answer',
  closed: 'the connection ended before its answer',
  refused: 'the connection took no request',
};

export function wrongLength({ target }: Call): Fault {
  return fault(
    'bad-request',
    `the body of the call to ${targetName(target)} is not as long as its content-length says.`,
  );
}

/** Peers' messages carry what no HTTP/1.1 message may. */
export function unwritable({ target }: Call, flaw: string): Fault {
  const message = `the call to ${targetName(target)} cannot be written as HTTP/1.1 (${flaw}). Look at its query, headers and trailers.`;
  return fault('bad-request', message);
}
