// Transport to the app: one attempt at one call, over HTTP/1.1, with TLS or without.
//
//   identify > authorize > resolve > resilience > [transport]
//
// The app is told who calls: the identity headers that it reads are written here, from the proven caller. Those in a
// peer's message (peer-head.ts) are for Dapr sidecars; ours ignores them.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { headersForApp } from '../../api/identity-headers.ts';
import { printTimeout } from '../../api/timeout.ts';
import type { Clock } from '../../kit/clock.ts';
import type { RequestHead, WireFailure } from '../../wire/message.ts';
import type { ConnectProblem } from '../app/connect.ts';
import type { AppPool } from '../app/pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { Http1Exchange } from '../link/http1-exchange.ts';
import { appBroke, appUnreachable, maySpeakOtherwise, noAppPort, unwritable, wrongLength } from './app-faults.ts';

/** `Pool`: of the connections to an app by what it speaks. */
export interface AppTransportDeps<Pool = AppPool> {
  readonly clock: Clock;
  /** Undefined for a program that only calls. */
  readonly pool: Pool | undefined;
  /** Shows the app that the request comes from its own sidecar. */
  readonly token: string | undefined;
}

export function openApp(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps): RequestEnd {
  const { pool } = deps;
  if (pool === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppExchange(call, reply, pool, deps);
  attempt.start();
  return attempt;
}

/** What the app reads of the call's headers: who calls, that this is its own sidecar, and what is left of the time. */
export function appFields(call: PermittedCall, { token, clock }: Pick<AppTransportDeps, 'token' | 'clock'>): Headers {
  const { headers, deadlineMs } = call;
  const fields = headers.concat(headersForApp(call));
  if (token !== undefined) fields.push('dapr-api-token', token);
  if (deadlineMs !== undefined) fields.push('invoke-timeout', printTimeout(deadlineMs - clock.elapsed()));
  return fields;
}

class AppExchange extends Http1Exchange<PermittedCall, ConnectProblem> {
  readonly #app: AppPool;
  readonly #deps: AppTransportDeps;

  constructor(call: PermittedCall, reply: ReplyEnd, pool: AppPool, deps: AppTransportDeps) {
    super(call, reply, pool);
    this.#app = pool;
    this.#deps = deps;
  }

  /** `host` is its own address, as Dapr has it: the caller's name for it means nothing here. */
  protected head(bodyBytes: number | undefined): RequestHead {
    const { method, path, query } = this.call;
    return {
      method,
      target: query === '' ? path : `${path}?${query}`,
      authority: this.#app.authority,
      scheme: undefined,
      fields: appFields(this.call, this.#deps),
      bodyBytes,
      upgrade: undefined,
      expectsContinue: false,
    };
  }

  protected notConnected(problem: ConnectProblem): Fault {
    return appUnreachable(this.call, this.#app.port, problem);
  }

  protected broke(failure: WireFailure): Fault {
    return appBroke(this.call, failure, maySpeakOtherwise(this.#app));
  }

  protected wrongLength(): Fault {
    return wrongLength(this.call);
  }

  protected unwritable(flaw: string): Fault {
    return unwritable(this.call, flaw);
  }
}
