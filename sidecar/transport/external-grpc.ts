// Transport of a native gRPC call to what has no sidecar: one attempt, over HTTP/2, with TLS or without.
//
//   identify > authorize > resilience > [transport]
//
// As over HTTP (external.ts) a stranger's server reads this: nobody's name, no token of ours. What is left of the time it is told,
// for that is the caller's own word in gRPC.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import { grpcHead } from '../../wire/grpc-call.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { PermittedExternalCall } from '../authorize/external.ts';
import type { NotConnected } from '../external/connect.ts';
import type { OutsideHttp2Pool } from '../external/pools.ts';
import { GrpcAttempt } from '../link/grpc-calling.ts';
import type { Http2Problem } from '../link/http2-pool.ts';
import { type Equipment, type EquipmentDeps, equip, type PoolFor, replacing } from './external-equipment.ts';
import { closing, grpcBroke, noGrpc, notConnected } from './external-faults.ts';

export interface ExternalGrpcTransportDeps extends EquipmentDeps {
  readonly http2PoolFor: PoolFor<OutsideHttp2Pool>;
}

export function openExternalGrpc(
  call: PermittedExternalCall,
  reply: ReplyEnd,
  deps: ExternalGrpcTransportDeps,
  clock: Clock,
): RequestEnd {
  const { endpoint } = call.target;
  if (endpoint !== undefined && endpoint.basePath !== '')
    return refuse(reply, underAPath(endpoint.name, endpoint.basePath));
  const equipment = equip(call, (wanted) => deps.http2PoolFor(wanted), deps);
  if (!equipment.ok) return refuse(reply, equipment.error);
  const attempt = new ExternalGrpcAttempt(call, reply, equipment.value, clock);
  attempt.start();
  return attempt;
}

class ExternalGrpcAttempt extends GrpcAttempt<Http2Problem<NotConnected>, OutsideHttp2Pool> {
  readonly #call: PermittedExternalCall;
  readonly #added: Headers;
  readonly #advice: string;
  readonly #clock: Clock;

  constructor(call: PermittedExternalCall, reply: ReplyEnd, equipment: Equipment<OutsideHttp2Pool>, clock: Clock) {
    super(reply, equipment.pool);
    this.#call = call;
    this.#added = equipment.added;
    this.#advice = equipment.advice;
    this.#clock = clock;
  }

  protected override notConnected(why: Http2Problem<NotConnected>): Fault {
    return notConnected(this.#call, why, this.#advice);
  }

  protected override head(): RequestHead {
    const { path, headers, deadlineMs, neverIndexed } = this.#call;
    const added = this.#added;
    const fields = [...replacing(headers, withoutGrpcsOwn(added)), 'te', 'trailers'];
    if (deadlineMs !== undefined) fields.push('grpc-timeout', printTimeout(deadlineMs - this.#clock.elapsed()));
    const secret = added.length === 0 ? neverIndexed : withNames(neverIndexed, added);
    return { ...grpcHead(this.source, path, fields), ...(secret && { neverIndexed: secret }) };
  }

  /** A service has no word about a call that is ours: its status is its answer. */
  override faultIn(): undefined {
    return undefined;
  }

  override notSeen(cause: string): Fault {
    return closing(this.#call, cause);
  }

  override broke(cause: string): Fault {
    return grpcBroke(this.#call, cause);
  }

  override noGrpc(cause: string): Fault {
    return noGrpc(this.#call, cause);
  }
}

/** What makes a message one of gRPC is the caller's to say, also where an endpoint serves HTTP calls, too. */
function withoutGrpcsOwn(added: Headers): Headers {
  return added.filter((_, i) => !/^(content-type$|grpc-)/.test(added[i - (i % 2)] ?? ''));
}

/** Most of what an endpoint adds is there to be kept secret: no table of compression is to hold it. */
function withNames(names: ReadonlySet<string> | undefined, added: Headers): ReadonlySet<string> {
  return new Set([...(names ?? []), ...added.filter((_, i) => i % 2 === 0)]);
}

function underAPath(name: string, basePath: string): Fault {
  const message = `the endpoint ${name} stands for a URL with a path (${basePath}), which calls of gRPC have no place for; nothing was sent. Make another HTTPEndpoint for gRPC, without one.`;
  return fault('unimplemented', message);
}
