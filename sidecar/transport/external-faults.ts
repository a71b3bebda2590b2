// What can go wrong between a sidecar and an outside service, in words for the caller.
import { calleeName } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { originText } from '../../api/origin.ts';
import type { WireFailure } from '../../wire/message.ts';
import type { PermittedExternalCall } from '../authorize/external.ts';
import type { AddressClass } from '../external/address-class.ts';
import type { NotConnected } from '../external/connect.ts';
import type { Http2Problem } from '../link/http2-pool.ts';

type Called = Pick<PermittedExternalCall, 'target' | 'isGrpc'>;

export function notConnected({ target, isGrpc }: Called, why: Http2Problem<NotConnected>, advice: string): Fault {
  const name = calleeName(target);
  const spoken = isGrpc ? 'HTTP/2' : 'HTTP/1.1';
  const { host, port } = target.origin;
  switch (why.kind) {
    case 'refused-address':
      return fault('denied', `${host} leads to ${PLACES[why.addressClass]}, so nothing was sent. ${advice}`, why.cause);
    case 'unresolved':
      return fault(
        'external-unreachable',
        `the name ${host} leads nowhere, so nothing was sent; is it spelled right?`,
        why.cause,
      );
    case 'unreachable':
      return fault(
        'external-unreachable',
        `${name} cannot be reached on port ${port}, so nothing was sent; see whether it is up, and whether this network lets calls out to it.`,
        why.cause,
      );
    case 'no-tls':
      return fault(
        'external-unreachable',
        `${name} was connected to on port ${port}, and no TLS came of it, so nothing was sent; does it speak TLS there (https), 1.2 or newer, and without a client certificate?`,
        why.cause,
      );
    case 'untrusted':
      return fault(
        'external-untrusted',
        `${name} does not prove to be ${host}, so nothing was sent: ${withoutDetails(why.cause)}. Mend it there, or name its authority in an HTTPEndpoint (clientTLS.rootCA).`,
        why.cause,
      );
    case 'other-protocol':
    case 'no-http2':
      // In TLS 1.3 the server looks at our certificate when the handshake is over for us.
      if (CERTIFICATE_ALERT.test(why.cause)) return refusesUs(name, why.cause);
      return fault(
        'external-unreachable',
        `${name} does not speak ${spoken} on port ${port}, so nothing was sent; ${OTHER_WAYS[spoken]}`,
        why.cause,
      );
    case 'no-room':
      return fault(
        'external-unreachable',
        `${name} has all the calls under way that it takes at once, so nothing was sent; try again.`,
        why.cause,
      );
    case 'unconfigured':
      return fault('external-unreachable', `${name} cannot be called, so nothing was sent: ${why.cause}.`);
  }
}

const OTHER_WAYS = {
  'HTTP/2':
    'if it serves no gRPC there, call it over HTTP; if it wants a certificate of its clients, see clientTLS of its HTTPEndpoint.',
  'HTTP/1.1': 'if it serves gRPC there, call it over gRPC.',
} as const;

/** In the order of what is likely. */
const PLACES: Readonly<Record<AddressClass, string>> = {
  public: 'a public address',
  private: 'a private address, and nobody has named the host',
  loopback: 'this machine itself',
  own: 'this machine itself',
  'link-local': 'an address of the local link',
  metadata: 'a metadata service of the cloud',
  multicast: 'a multicast address',
  unspecified: 'no address at all',
  reserved: 'an address that no host has',
};

/** The platform's own words hold addresses. */
function withoutDetails(cause: string): string {
  return cause.replace(/ \(.*$/s, '');
}

const CERTIFICATE_ALERT = /SSL alert number (4[2-9]|51|116)\b/;

/** From the moment that a request is given to a connection, nobody can tell what was seen of it; but for one case. */
export function broke({ target }: Called, { kind, reason }: WireFailure): Fault {
  const name = calleeName(target);
  const cause = `${originText(target.origin)}: ${CAUSES[kind]}: ${reason}`;
  // In TLS 1.3 the server looks at our certificate when we have begun to speak; what it then refuses it has not read.
  if (CERTIFICATE_ALERT.test(reason)) return refusesUs(name, cause);
  const message = `the connection to ${name} broke before its answer was complete; it may have seen the call.`;
  return fault('external-broke', message, cause);
}

function refusesUs(name: string, cause: string): Fault {
  const message = `${name} does not take this client's certificate, or wants one; see clientTLS of its HTTPEndpoint. Nothing reached it.`;
  return fault('external-untrusted', message, cause);
}

export function grpcBroke({ target }: Called, cause: string): Fault {
  const name = calleeName(target);
  if (CERTIFICATE_ALERT.test(cause)) return refusesUs(name, cause);
  const message = `${name} did not complete its answer; it may have seen the call.`;
  return fault('external-broke', message, `${originText(target.origin)}: ${cause}`);
}

/** `how` it answered. */
export function noGrpc({ target }: Called, how: string): Fault {
  const message = `${calleeName(target)} does not answer as gRPC does: ${how}. Does it serve gRPC at ${originText(target.origin)}?`;
  return fault('external-broke', message);
}

/** It takes no more calls on that connection, and has not looked at this one. */
export function closing({ target }: Called, cause: string): Fault {
  const message = `${calleeName(target)} was closing the connection, or takes no more calls on it; it has not seen this one. Try again.`;
  return fault('external-closing', message, cause);
}

const CAUSES: Readonly<Record<WireFailure['kind'], string>> = {
  malformed: 'its answer is not HTTP/1.1',
  limit: 'its answer goes past a limit',
  reset: 'the connection ended in the middle of its answer',
  closed: 'the connection ended before its answer',
  refused: 'the connection took no request',
};

export function wrongLength({ target }: Called): Fault {
  return fault(
    'bad-request',
    `the body of the call to ${calleeName(target)} is not as long as its content-length says.`,
  );
}

export function unwritable({ target }: Called, flaw: string): Fault {
  const message = `the call to ${calleeName(target)} cannot be written as HTTP/1.1 (${flaw}). Look at its query, headers and trailers.`;
  return fault('bad-request', message);
}

export function noRoom({ target }: Called): Fault {
  const message = `this sidecar calls so many outside services at once that there is no room for ${calleeName(target)}; try again.`;
  return fault('external-unreachable', message);
}
