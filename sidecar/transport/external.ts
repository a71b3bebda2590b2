// Transport to what has no sidecar: one call, over HTTP/1.1, on TCP or TLS.
//
//   identify > authorize > resilience > [transport]
//
// A stranger's server reads this. It is told nothing of who calls, gets no token of ours, and no address of this side. Its
// redirects are the caller's to follow: followed here, they would lead past the rules that permitted the call.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { EndpointHeader } from '../../api/http-endpoint.ts';
import type { Result } from '../../kit/result.ts';
import type { RequestHead, WireFailure } from '../../wire/message.ts';
import type { PermittedExternalCall } from '../authorize/external.ts';
import type { NotConnected } from '../external/connect.ts';
import type { OutsidePool } from '../external/pools.ts';
import { Http1Exchange } from '../link/http1-exchange.ts';
import { broke, noRoom, notConnected, unwritable, wrongLength } from './external-faults.ts';

export interface ExternalTransportDeps {
  /** Connections for a call; undefined: there is no room for more of them. */
  readonly poolFor: (call: PermittedExternalCall) => Result<OutsidePool | undefined, NotConnected>;
  /** The values of an endpoint's headers, or why there are none. */
  readonly headersOf: (headers: readonly EndpointHeader[]) => Result<Headers, NotConnected>;
  /** What people do about an address that is refused. */
  readonly advice: () => string;
}

export function openExternal(call: PermittedExternalCall, reply: ReplyEnd, deps: ExternalTransportDeps): RequestEnd {
  const advice = deps.advice();
  const added = deps.headersOf(call.target.endpoint?.headers ?? []);
  if (!added.ok) return refuse(reply, notConnected(call, added.error, advice));
  const pool = deps.poolFor(call);
  if (!pool.ok) return refuse(reply, notConnected(call, pool.error, advice));
  if (pool.value === undefined) return refuse(reply, noRoom(call));
  const attempt = new ExternalExchange(call, reply, pool.value, added.value, advice);
  attempt.start();
  return attempt;
}

class ExternalExchange extends Http1Exchange<PermittedExternalCall, NotConnected> {
  /** Of the endpoint. */
  readonly #added: Headers;
  readonly #advice: string;

  constructor(call: PermittedExternalCall, reply: ReplyEnd, pool: OutsidePool, added: Headers, advice: string) {
    super(call, reply, pool);
    this.#added = added;
    this.#advice = advice;
  }

  protected head(bodyBytes: number | undefined): RequestHead {
    const { method, path, query, headers, target } = this.call;
    const whole = `${target.endpoint?.basePath ?? ''}${path}`;
    return {
      method,
      target: query === '' ? whole : `${whole}?${query}`,
      authority: target.origin.authority,
      scheme: undefined,
      fields: replacing(headers, this.#added),
      bodyBytes,
      upgrade: undefined,
      expectsContinue: false,
    };
  }

  protected notConnected(why: NotConnected): Fault {
    return notConnected(this.call, why, this.#advice);
  }

  protected broke(failure: WireFailure): Fault {
    return broke(this.call, failure);
  }

  protected wrongLength(): Fault {
    return wrongLength(this.call);
  }

  protected unwritable(flaw: string): Fault {
    return unwritable(this.call, flaw);
  }
}

/** What the endpoint says counts, and not what a caller says under the same name: it may be a credential. */
function replacing(headers: Headers, added: Headers): Headers {
  if (added.length === 0) return headers;
  const names = new Set(added.filter((_, i) => i % 2 === 0));
  return headers.filter((_, i) => !names.has(headers[i - (i % 2)] ?? '')).concat(added);
}
