// Transport of a native gRPC call to the app: one attempt, over HTTP/2, with TLS or without. The app is told who calls, as over HTTP.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { headersForApp } from '../../api/identity-headers.ts';
import { targetName } from '../../api/ids.ts';
import { printTimeout } from '../../api/timeout.ts';
import { grpcHead } from '../../wire/grpc-call.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { AppHttp2Pool, AppHttp2Problem } from '../app/http2-pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { GrpcAttempt } from '../link/grpc-calling.ts';
import type { AppTransportDeps } from './app.ts';
import { appClosing, noAppPort, noHttp2 } from './app-faults.ts';

export function openAppGrpc(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps<AppHttp2Pool>): RequestEnd {
  const { pool } = deps;
  if (pool === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppGrpcAttempt(call, reply, pool, deps);
  attempt.start();
  return attempt;
}

class AppGrpcAttempt extends GrpcAttempt<AppHttp2Problem, AppHttp2Pool> {
  readonly #call: PermittedCall;
  readonly #deps: AppTransportDeps<AppHttp2Pool>;

  constructor(call: PermittedCall, reply: ReplyEnd, pool: AppHttp2Pool, deps: AppTransportDeps<AppHttp2Pool>) {
    super(reply, pool);
    this.#call = call;
    this.#deps = deps;
  }

  protected override notConnected(problem: AppHttp2Problem): Fault {
    return noHttp2(this.#call, this.source.port, problem, 'gRPC');
  }

  protected override head(): RequestHead {
    const { path, headers, deadlineMs, neverIndexed } = this.#call;
    const { clock, token } = this.#deps;
    const fields = [...headers, 'te', 'trailers', ...headersForApp(this.#call)];
    if (token !== undefined) fields.push('dapr-api-token', token);
    if (deadlineMs !== undefined) fields.push('grpc-timeout', printTimeout(deadlineMs - clock.elapsed()));
    return { ...grpcHead(this.source, path, fields), ...(neverIndexed && { neverIndexed }) };
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
