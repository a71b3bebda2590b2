// Transport of a native gRPC call to the app: one attempt, over HTTP/2, with TLS or without. The app is told who calls, as over HTTP.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { headersForApp } from '../../api/identity-headers.ts';
import { targetName } from '../../api/ids.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { grpcHead } from '../../wire/grpc-call.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { AppHttp2Pool } from '../app/http2-pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { GrpcAttempt } from '../link/grpc-calling.ts';
import type { Connected } from '../link/stream-attempt.ts';
import { appClosing, noAppPort, noHttp2 } from './app-faults.ts';

export interface AppGrpcTransportDeps {
  readonly clock: Clock;
  /** Undefined for a program that only calls. */
  readonly pool: AppHttp2Pool | undefined;
  /** Shows the app that the call comes from its own sidecar. */
  readonly token: string | undefined;
}

export function openAppGrpc(call: PermittedCall, reply: ReplyEnd, deps: AppGrpcTransportDeps): RequestEnd {
  const { pool } = deps;
  if (pool === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppGrpcAttempt(call, reply, pool, deps);
  attempt.start();
  return attempt;
}

class AppGrpcAttempt extends GrpcAttempt {
  readonly #call: PermittedCall;
  readonly #pool: AppHttp2Pool;
  readonly #deps: AppGrpcTransportDeps;

  constructor(call: PermittedCall, reply: ReplyEnd, pool: AppHttp2Pool, deps: AppGrpcTransportDeps) {
    super(reply);
    this.#call = call;
    this.#pool = pool;
    this.#deps = deps;
  }

  protected override ready(): Http2ClientConnection | undefined {
    return this.#pool.ready;
  }

  protected override connect(use: (connected: Connected) => void): Cancel {
    return this.#pool.wait((found) => {
      if (found.ok) use({ ok: true, connection: found.value });
      else use({ ok: false, fault: noHttp2(this.#call, this.#pool.port, found.error, 'gRPC') });
    });
  }

  protected override head(): RequestHead {
    const { path, headers, deadlineMs, neverIndexed } = this.#call;
    const { clock, token } = this.#deps;
    const fields = [...headers, 'te', 'trailers', ...headersForApp(this.#call)];
    if (token !== undefined) fields.push('dapr-api-token', token);
    if (deadlineMs !== undefined) fields.push('grpc-timeout', printTimeout(deadlineMs - clock.elapsed()));
    return { ...grpcHead(this.#pool, path, fields), ...(neverIndexed && { neverIndexed }) };
  }

  /** An app has no word about a call that is ours: its status is its answer. */
  override faultIn(): undefined {
    return undefined;
  }

  override notSeen(cause: string): Fault {
    return appClosing(this.#call, cause);
  }

  override broke(cause: string): Fault {
    return fault(
      'app-broke',
      `the app of ${this.#name} did not complete its answer; it may have seen the call. Look at the app's log.`,
      cause,
    );
  }

  override noGrpc(cause: string): Fault {
    return fault(
      'app-broke',
      `the app of ${this.#name} does not answer as gRPC does: ${cause}. Does it serve gRPC on its app port?`,
    );
  }

  get #name(): string {
    return targetName(this.#call.target);
  }
}
