// What a call to an outside service takes with it, over whatever it goes: connections, and the headers of its endpoint.
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { EndpointHeader } from '../../api/http-endpoint.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { PermittedExternalCall } from '../authorize/external.ts';
import type { NotConnected } from '../external/connect.ts';
import { noRoom, notConnected } from './external-faults.ts';

export interface EquipmentDeps {
  /** The values of an endpoint's headers, or why there are none. */
  readonly headersOf: (headers: readonly EndpointHeader[]) => Result<Headers, NotConnected>;
  /** What people do about an address that is refused. */
  readonly advice: () => string;
}

export interface Equipment<P> {
  readonly pool: P;
  /** Of the endpoint. */
  readonly added: Headers;
  readonly advice: string;
}

/** Connections for a call; undefined: there is no room for more of them. */
export type PoolFor<P> = (call: PermittedExternalCall) => Result<P | undefined, NotConnected>;

export function equip<P>(
  call: PermittedExternalCall,
  poolFor: PoolFor<P>,
  deps: EquipmentDeps,
): Result<Equipment<P>, Fault> {
  const advice = deps.advice();
  const added = deps.headersOf(call.target.endpoint?.headers ?? []);
  if (!added.ok) return err(notConnected(call, added.error, advice));
  const pool = poolFor(call);
  if (!pool.ok) return err(notConnected(call, pool.error, advice));
  if (pool.value === undefined) return err(noRoom(call));
  return ok({ pool: pool.value, added: added.value, advice });
}

/** What the endpoint says counts, and not what a caller says under the same name: it may be a credential. */
export function replacing(headers: Headers, added: Headers): Headers {
  if (added.length === 0) return headers;
  const names = new Set(added.filter((_, i) => i % 2 === 0));
  return headers.filter((_, i) => !names.has(headers[i - (i % 2)] ?? '')).concat(added);
}
