// Transport to what has no sidecar: one call, over HTTP/1.1, on TCP or TLS.
//
//   identify > authorize > resilience > [transport]
//
// A stranger's server reads this. It is told nothing of who calls, gets no token of ours, and no address of this side. Its
// redirects are the caller's to follow: followed here, they would lead past the rules that permitted the call.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { RequestHead, WireFailure } from '../../wire/message.ts';
import type { PermittedExternalCall } from '../authorize/external.ts';
import type { NotConnected } from '../external/connect.ts';
import type { OutsideHttp1Pool } from '../external/pools.ts';
import { Http1Exchange } from '../link/http1-exchange.ts';
import { type Equipment, type EquipmentDeps, equip, type PoolFor, replacing } from './external-equipment.ts';
import { broke, notConnected, unwritable, wrongLength } from './external-faults.ts';

export interface ExternalTransportDeps extends EquipmentDeps {
  readonly http1PoolFor: PoolFor<OutsideHttp1Pool>;
}

export function openExternal(call: PermittedExternalCall, reply: ReplyEnd, deps: ExternalTransportDeps): RequestEnd {
  const equipment = equip(call, (wanted) => deps.http1PoolFor(wanted), deps);
  if (!equipment.ok) return refuse(reply, equipment.error);
  const attempt = new ExternalExchange(call, reply, equipment.value);
  attempt.start();
  return attempt;
}

class ExternalExchange extends Http1Exchange<PermittedExternalCall, NotConnected> {
  /** Of the endpoint. */
  readonly #added: Headers;
  readonly #advice: string;

  constructor(call: PermittedExternalCall, reply: ReplyEnd, { pool, added, advice }: Equipment<OutsideHttp1Pool>) {
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
