// The way out of the mesh: to a service that has no sidecar.
//
//   edge/app-http ▶ identify ▶ authorize ▶ resilience ▶ transport ▶ the service itself
//
// There is nothing to resolve before the transport: a name becomes an address as a connection is made, and each address is
// judged there.
import type { ExternalCall } from '../../api/call.ts';
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { ExternalTarget } from '../../api/external.ts';
import type { Fault } from '../../api/fault.ts';
import type { Result } from '../../kit/result.ts';
import { authorizeExternal, type ExternalRules, type PermittedExternalCall } from '../authorize/external.ts';
import { type Attempt, type ResilienceDeps, runCall } from '../resilience/attempts.ts';
import type { Resolution } from '../resolve/resolver.ts';

export interface ExternalStages {
  /** Or why no call can be judged yet. */
  readonly rules: () => Result<ExternalRules, Fault>;
  readonly transport: (call: PermittedExternalCall, reply: ReplyEnd) => RequestEnd;
}

export function externalWay(
  { rules, transport }: ExternalStages,
  resilience: Omit<ResilienceDeps, 'attempt'>,
): (call: ExternalCall, reply: ReplyEnd) => RequestEnd {
  const attempt: Attempt<PermittedExternalCall> = (call, _endpoint, reply) => transport(call, reply);
  const deps = { ...resilience, attempt };
  return (call, reply) => {
    const current = rules();
    if (!current.ok) return refuse(reply, current.error);
    const permitted = authorizeExternal(call, current.value); //   the only maker of a PermittedExternalCall
    if (!permitted.ok) return refuse(reply, permitted.error);
    return runCall(permitted.value, itself(call.target), reply, deps);
  };
}

/** One endpoint: the transport knows its addresses. */
function itself(target: ExternalTarget): Resolution {
  return {
    kind: 'found',
    upstream: { target, endpoints: () => [{ host: target.origin.host, port: target.origin.port }] },
  };
}
