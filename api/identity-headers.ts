// Headers that say who calls whom. In a message between sidecars they are for those of Dapr, which pass them on; the app reads what its
// own sidecar has written, from the certificate.
import type { Call } from './call.ts';
import type { Headers } from './headers.ts';
import { HOPS, hopsText } from './hops.ts';
import { type Identity, spiffeId, type Target } from './ids.ts';

/** Made once per pair: an identity is one object for as long as its connection lives. */
const saidOfCalls = new WeakMap<Identity, WeakMap<Target, SaidOfCall>>();

/** What is said with a call of who calls whom. */
interface SaidOfCall {
  readonly identity: Headers;
  /** And to the app, that nothing is known of a call that led to it: nearly always so. */
  readonly firstHop: Headers;
}

/** Says who calls: `dapr-caller-*`, `dapr-callee-*`, and the caller's whole SPIFFE ID. */
export function identityHeaders(caller: Identity, callee: Target): Headers {
  return saidOf(caller, callee).identity;
}

/** Says to the app who calls, and that `hops` calls led here, this one among them. */
export function headersForApp({ caller, target, hops }: Pick<Call, 'caller' | 'target' | 'hops'>): Headers {
  const { identity, firstHop } = saidOf(caller, target);
  return hops === 1 ? firstHop : [...identity, HOPS, hopsText(hops)];
}

function saidOf(caller: Identity, callee: Target): SaidOfCall {
  let byCallee = saidOfCalls.get(caller);
  if (byCallee === undefined) {
    byCallee = new WeakMap();
    saidOfCalls.set(caller, byCallee);
  }
  let said = byCallee.get(callee);
  if (said === undefined) {
    const identity = [
      ...['dapr-caller-app-id', caller.app],
      ...['dapr-caller-namespace', caller.namespace],
      ...['dapr-callee-app-id', callee.app],
      ...['invoke-caller-id', spiffeId(caller)],
    ];
    said = { identity, firstHop: [...identity, HOPS, hopsText(1)] };
    byCallee.set(callee, said);
  }
  return said;
}
