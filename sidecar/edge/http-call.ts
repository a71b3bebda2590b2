// One call on the app API: reads the request into a Call, and pushes its body into the way out.
import type { ExternalCall, OutboundCall, PlainCall } from '../../api/call.ts';
import type { Flow, Open, RequestEnd } from '../../api/exchange.ts';
import { calleeName, type Endpoints, isExternal } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { endToEnd, type Headers, headerValue, without } from '../../api/headers.ts';
import { hopsProblem, hopsSaid } from '../../api/hops.ts';
import type { Identity } from '../../api/ids.ts';
import { parseTimeout } from '../../api/timeout.ts';
import { traced } from '../../api/trace.ts';
import { carriedProtocol } from '../../api/upgrade.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import { NOBODY, type RequestHead, type RequestReceiver, type WireFailure } from '../../wire/message.ts';
import { isGrpc } from '../link/grpc-serving.ts';
import type { HttpReply } from './http-reply.ts';
import { serveTunnel } from './http-tunnel.ts';
import { isTargetInAuthorization, readInvocation } from './invocation.ts';
import { faultOfRequest, requestTooLarge } from './malformed.ts';

export interface HttpCallDeps {
  readonly open: Open<OutboundCall>;
  readonly self: Identity;
  /** What callers may name beside apps. */
  readonly outside: Snapshot<{ readonly endpoints: Endpoints }>;
  readonly bodyBytesMax: number;
  readonly hopsMax: number;
  /** Beside WebSocket. */
  readonly upgradeProtocols: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** `said` is what the request says to this sidecar (said.ts). */
export function serveCall(head: RequestHead, said: Headers, reply: HttpReply, deps: HttpCallDeps): RequestReceiver {
  const call = readCall(head, said, deps);
  if (!call.ok) {
    reply.refuse(call.error);
    return NOBODY;
  }
  reply.traceparent = headerValue(call.value.headers, 'traceparent');
  const protocol = protocolAsked(head, deps);
  if (protocol !== undefined) return serveUpgrade(call.value, protocol, reply, deps);
  const request = new HttpRequest(deps.open(call.value, reply), reply, deps.bodyBytesMax);
  if (head.expectsContinue) reply.askForBody();
  // A client that asks for what is not carried is answered as if it had not asked (RFC 9110, 7.8). Its request would end with
  // the tunnel, which there is none of, so it ends here.
  if (head.upgrade !== undefined) request.end([]);
  return request;
}

function serveUpgrade(
  call: PlainCall | ExternalCall,
  protocol: string,
  reply: HttpReply,
  deps: HttpCallDeps,
): RequestReceiver {
  if (call.kind !== 'external')
    return serveTunnel({ ...call, kind: 'tunnel', protocol, bodyBytes: undefined }, reply, deps.open);
  const message = `${calleeName(call.target)} is outside of the mesh, where ${protocol} is not carried to; connect to it directly.`;
  reply.refuse(fault('unimplemented', message));
  return NOBODY;
}

function protocolAsked({ method, upgrade }: RequestHead, deps: HttpCallDeps): string | undefined {
  return upgrade === undefined ? undefined : carriedProtocol(method, upgrade, deps.upgradeProtocols);
}

const GRPC_ELSEWHERE = err(
  fault(
    'no-target',
    'this port is for HTTP, and the call is over gRPC: make it at the gRPC port of this sidecar, which its app finds in DAPR_GRPC_PORT.',
  ),
);

function readCall(head: RequestHead, said: Headers, deps: HttpCallDeps): Result<PlainCall | ExternalCall, Fault> {
  const { method, target, fields, bodyBytes } = head;
  const invocation = readInvocation(target, said, deps.self.namespace, deps.outside.current().endpoints);
  if (!invocation.ok) return invocation.error.code === 'no-target' && isGrpc(fields) ? GRPC_ELSEWHERE : invocation;
  if (bodyBytes !== undefined && bodyBytes > deps.bodyBytesMax) return err(requestTooLarge(deps.bodyBytesMax));
  const timeout = headerValue(said, 'invoke-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return err(fault('bad-request', `invoke-timeout: ${timeoutMs.error}.`));
  const hopsBefore = hopsSaid(said);
  const tooLong = hopsProblem(hopsBefore, deps.hopsMax);
  if (tooLong !== undefined) return err(tooLong);
  const hops = hopsBefore + 1;
  const { target: callee, path, query } = invocation.value;
  const headers = traced(endToEnd(fields), deps.random);
  const deadlineMs = timeoutMs === undefined ? undefined : deps.clock.elapsed() + timeoutMs.value;
  const caller = deps.self;
  if (!isExternal(callee))
    return ok({ kind: 'http', target: callee, caller, method, path, query, headers, bodyBytes, deadlineMs, hops });
  // Nobody outside is to read how its own name was written here.
  const kept = isTargetInAuthorization(said) ? without(headers, 'authorization') : headers;
  return ok({
    kind: 'external',
    isGrpc: false,
    target: callee,
    caller,
    method,
    path,
    query,
    headers: kept,
    bodyBytes,
    deadlineMs,
    hops,
  });
}

/** The request on its way from the connection into the call, up to the limit. */
class HttpRequest implements RequestReceiver {
  readonly #call: RequestEnd;
  readonly #reply: HttpReply;
  readonly #bodyBytesMax: number;
  #bytes = 0;
  #isEnded = false;

  constructor(call: RequestEnd, reply: HttpReply, bodyBytesMax: number) {
    this.#call = call;
    this.#reply = reply;
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Once it is refused the connection throws the rest away. */
  data(chunk: Buffer): Flow {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#bodyBytesMax) return this.#call.data(chunk);
    const reason = requestTooLarge(this.#bodyBytesMax);
    this.#call.abort(reason);
    this.#reply.abort(reason);
    return 'ok';
  }

  end(trailers: Headers): void {
    this.#isEnded = true;
    this.#call.end(trailers.length === 0 ? trailers : endToEnd(trailers));
  }

  /** The client has gone, or the rest is no HTTP, and the connection says what there is to say to it. */
  abort(failure: WireFailure): void {
    if (this.#isEnded) this.cancel(failure);
    else this.#call.abort(faultOfRequest(failure));
  }

  resume(): void {
    this.#call.resume();
  }

  cancel(failure: WireFailure): void {
    this.#call.cancel(faultOfRequest(failure));
  }
}
