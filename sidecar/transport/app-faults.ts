// What can go wrong between a sidecar and its app, in words for the caller.
import type { Call, TunnelCall } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { targetName } from '../../api/ids.ts';
import type { WireFailure } from '../../wire/message.ts';
import type { ConnectProblem } from '../app/connect.ts';
import type { AppHttp2Problem } from '../app/http2-pool.ts';
import type { AppPool } from '../app/pool.ts';
import type { CertificateFlaw } from '../link/dial.ts';
import type { NoTurn } from '../link/turn-call.ts';

export function noAppPort({ target }: Call): Fault {
  const message = `${targetName(target)} has no app port, so it takes no calls; start it with --app-port.`;
  return fault('app-unreachable', message);
}

export function appUnreachable({ target }: Call, port: number, problem: ConnectProblem): Fault {
  return fault('app-unreachable', `${targetName(target)} ${whyNoConnection(port, problem)}`, problem.cause);
}

function whyNoConnection(port: number, problem: ConnectProblem): string {
  switch (problem.kind) {
    case 'no-connection':
      return `does not listen on its app port ${port}; nothing reached it. Is the app still starting, or does it listen elsewhere (--app-port)?`;
    case 'no-tls':
      return `does not speak TLS on its app port ${port}; nothing reached it. If it serves without TLS, start its sidecar with --app-protocol http, h2c or grpc.`;
    case 'other-protocol':
      return `speaks another protocol over TLS on its app port ${port} than its sidecar was told; nothing reached it. --app-protocol https is HTTP/1.1, and grpcs is gRPC.`;
    case 'untrusted':
      return `is not trusted by its own sidecar; nothing reached it. The certificate on its app port ${port} ${CERTIFICATE[problem.flaw]}`;
  }
}

const UNKNOWN_AUTHORITY =
  'comes from an authority that is not known there: give that one with --app-tls-ca, and let the app send its intermediate certificates.';
/** What is wrong with it, and what to do. */
const CERTIFICATE: Readonly<Record<CertificateFlaw, string>> = {
  expired: 'has expired: renew it, and see that the clock is right there.',
  'not-yet-valid': 'is not valid yet: see that the clock is right there.',
  'other-name':
    'is for another name: say which one is meant with --app-tls-server-name, or issue one for the host of the app.',
  'self-signed': UNKNOWN_AUTHORITY,
  'unknown-authority': UNKNOWN_AUTHORITY,
  unusable: 'cannot be used; the log of its sidecar says why.',
};

/** What speaks HTTP/2 with the app: `gRPC` or `HTTP`. */
export function noHttp2(call: Call, port: number, problem: AppHttp2Problem, spoken: 'gRPC' | 'HTTP'): Fault {
  const { kind, cause } = problem;
  const name = targetName(call.target);
  switch (kind) {
    case 'no-room':
      return fault(
        'app-unreachable',
        `${name} has all the calls under way that it takes at once; nothing reached it.`,
        cause,
      );
    case 'no-http2':
      return fault(
        'app-unreachable',
        `${name} does not speak HTTP/2 on its app port ${port}; nothing reached it. ${OTHER_WAYS[spoken]}`,
        cause,
      );
    default:
      return appUnreachable(call, port, problem);
  }
}

const OTHER_WAYS = {
  gRPC: 'Does it serve gRPC there? Over TLS it is --app-protocol grpcs, without TLS grpc. If it serves HTTP, take that away.',
  HTTP: 'If it serves HTTP/1.1, start its sidecar with --app-protocol http; if it serves over TLS, with https.',
} as const;

/** From the moment that a request is given to a connection, nobody can tell what the app has seen of it. */
export function appBroke({ target }: Call, { kind, reason }: WireFailure, hint = ''): Fault {
  const message = `the connection to the app of ${targetName(target)} broke before its answer was complete; it may have seen the call. Look at the app's log.${hint}`;
  return fault('app-broke', message, `${CAUSES[kind]}: ${reason}`);
}

/** For an app that has never answered: servers of TLS hang up on what is none. */
export function maySpeakOtherwise({ hasAnswered, scheme }: AppPool): string {
  if (hasAnswered || scheme === 'https') return '';
  return ' If it speaks TLS, or HTTP/2 alone, start its sidecar with --app-protocol https or h2c.';
}

export function tunnelBroke({ target }: Call, { reason }: WireFailure): Fault {
  return fault('app-broke', `the app of ${targetName(target)} broke off the tunnel. Look at the app's log.`, reason);
}

export function tooManyTunnels({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} has as many tunnels open as its sidecar carries; nothing reached it. Try again once some have ended, or run more instances.`;
  return fault('app-unreachable', message);
}

/** The app was called by a protocol in which nobody can ask for another. */
export function takesNoUpgrade({ target, protocol }: TunnelCall, spoken: 'gRPC' | 'HTTP/2'): Fault {
  const message = `the app of ${targetName(target)} speaks ${spoken}, and a tunnel (${protocol}) takes one that speaks HTTP/1.1; if it does, start its sidecar with --app-protocol http or https.`;
  return fault('unimplemented', message);
}

export function switchedElsewhere({ target }: TunnelCall, to: string): Fault {
  const message = `the app of ${targetName(target)} agreed to an upgrade that it was not asked for ("${to}"). Look at the app's server.`;
  return fault('app-broke', message);
}

const CAUSES: Readonly<Record<WireFailure['kind'], string>> = {
  malformed: 'its answer is not HTTP',
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

/** Peers' messages carry what no HTTP message may. */
export function unwritable({ target }: Call, flaw: string): Fault {
  const message = `the call to ${targetName(target)} cannot be written as HTTP (${flaw}). Look at its query, headers and trailers.`;
  return fault('bad-request', message);
}

/** It takes no more calls on that connection, and has not looked at this one. */
export function appClosing({ target }: Call, cause: string): Fault {
  return fault(
    'app-closing',
    `the app of ${targetName(target)} was closing the connection, or takes no more calls on it; it has not seen this one.`,
    cause,
  );
}

export function appHeadTooLarge({ target }: Call): Fault {
  return fault(
    'headers-too-large',
    `the headers of the call are larger than the app of ${targetName(target)} takes; nothing reached it.`,
  );
}

/** `why` is for the log alone: it may name addresses. */
export function appUnhealthy({ target }: Call, why: string): Fault {
  const message = `the app of ${targetName(target)} does not pass its health check, so it is given no calls; nothing reached it. Its sidecar goes on asking it: try again, or look at the app's log.`;
  return fault('app-unhealthy', message, why);
}

/** `max`: of `--app-max-concurrency`; `waitingMax`: of the queue. */
export function noTurn({ target }: Call, why: NoTurn, max: number, waitingMax: number): Fault {
  const name = targetName(target);
  if (why === 'past-deadline') {
    const message = `${name} did not answer in time: the deadline passed while the call waited for its turn, for the app takes ${max} at once (--app-max-concurrency). Nothing reached it.`;
    return fault('timeout', message);
  }
  const message = `the app of ${name} takes ${max} calls at once (--app-max-concurrency), and ${waitingMax} more wait already; nothing of this one reached it. Try again later, or start more instances.`;
  return fault('app-busy', message);
}
