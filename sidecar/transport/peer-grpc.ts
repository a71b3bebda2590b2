// Transport of a native gRPC call to a peer: one attempt, on the connection to one endpoint, as a stream of its own.
import type { ReplyEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { faultOfTrailers } from '../../api/grpc-status.ts';
import { type Headers, headerValue } from '../../api/headers.ts';
import { identityHeaders } from '../../api/identity-headers.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { grpcHead } from '../../wire/grpc-call.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { GrpcAttempt } from '../link/grpc-calling.ts';
import type { AttemptEnd } from '../resilience/time-spent.ts';
import type { PeerConnection } from './peer-connection.ts';
import { peerBroke, peerClosing } from './peer-faults.ts';
import { TO_PEER, withHops } from './peer-head.ts';

export function openPeerGrpc(
  call: PermittedCall,
  connection: PeerConnection,
  reply: ReplyEnd,
  clock: Clock,
): AttemptEnd {
  const attempt = new PeerGrpcAttempt(call, connection, reply, clock);
  attempt.start();
  return attempt;
}

class PeerGrpcAttempt extends GrpcAttempt<Fault, PeerConnection> {
  readonly #call: PermittedCall;
  readonly #clock: Clock;

  constructor(call: PermittedCall, connection: PeerConnection, reply: ReplyEnd, clock: Clock) {
    super(reply, connection);
    this.#call = call;
    this.#clock = clock;
  }

  get connectedMs(): number | 'not-yet' {
    return this.source.readyMs;
  }

  protected override notConnected(reason: Fault): Fault {
    return reason;
  }

  /** The app id and who calls are for Dapr sidecars, which pass them on. One of ours takes both from the certificates. */
  protected override head(): RequestHead {
    const { path, headers, caller, target, deadlineMs, neverIndexed, hops } = this.#call;
    const own = withHops(headers, hops);
    const fields = [...own, 'te', 'trailers', 'dapr-app-id', target.app, ...identityHeaders(caller, target)];
    if (deadlineMs !== undefined) fields.push('grpc-timeout', printTimeout(deadlineMs - this.#clock.elapsed()));
    return { ...grpcHead(TO_PEER, path, fields), ...(neverIndexed && { neverIndexed }) };
  }

  /** A status without that word is the app's, or that of a Dapr sidecar: it is passed on, and nothing is tried again. */
  override faultIn(status: Headers): Fault | undefined {
    return headerValue(status, 'invoke-fault') === undefined ? undefined : faultOfTrailers(status);
  }

  override notSeen(cause: string): Fault {
    return peerClosing(this.#call.target, cause);
  }

  override broke(cause: string): Fault {
    return peerBroke(this.#call.target, cause);
  }

  override noGrpc(cause: string): Fault {
    return this.broke(cause);
  }
}
