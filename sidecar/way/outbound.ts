// The way out: from the app, through this sidecar, to the sidecar of whoever is called.
//
//   edge/app-http ▶ identify ▶ authorize ▶ resolve ▶ resilience ▶ transport ▶ peer
import type { OutboundCall } from '../../api/call.ts';
import { type Open, refuse } from '../../api/exchange.ts';
import { isSameTarget, type Target } from '../../api/ids.ts';
import type { Authorizer } from '../authorize/authorize.ts';
import type { OwnIdentity } from '../identify/own.ts';
import { type Attempt, type ResilienceDeps, runCall } from '../resilience/attempts.ts';
import type { Resolution, Resolver } from '../resolve/resolver.ts';
import { type ExternalStages, externalWay } from './external.ts';
import type { Flights } from './flights.ts';

export interface OutboundStages {
  readonly flights: Flights;
  readonly own: OwnIdentity;
  readonly authorizer: Pick<Authorizer, 'leave'>;
  readonly resolver: Resolver;
  readonly resilience: Omit<ResilienceDeps, 'attempt'>;
  readonly transport: { readonly peer: Attempt };
  /** To what has no sidecar. */
  readonly external: ExternalStages;
  /** The way in. A call to oneself skips the network, and nothing else. */
  readonly inbound: Open;
}

export function outboundWay(stages: OutboundStages): Open<OutboundCall> {
  const toSelf: ResilienceDeps = { ...stages.resilience, attempt: (own, _endpoint, back) => stages.inbound(own, back) };
  const toPeers: ResilienceDeps = { ...stages.resilience, attempt: stages.transport.peer };
  const outOfTheMesh = externalWay(stages.external, stages.resilience);
  return (call, caller) =>
    stages.flights.track('outbound', call, caller, (reply) => {
      const unproven = stages.own.problem(); //            no certificate, no call: `not-ready`, and why
      if (unproven) return refuse(reply, unproven);
      if (call.kind === 'external') return outOfTheMesh(call, reply);
      const permitted = stages.authorizer.leave(call); //  turned back early, or a PermittedCall
      if (permitted.kind === 'denied') return refuse(reply, permitted.fault);
      const { target } = permitted;
      if (isSameTarget(target, permitted.caller)) return runCall(permitted, itself(target), reply, toSelf);
      const upstream = stages.resolver.resolve(target); //    a live set, none, or not known yet
      return runCall(permitted, upstream, reply, toPeers);
    });
}

/** Where a call to oneself goes: one endpoint, to which nobody connects. */
const SELF = [{ host: 'self', port: 0 }];

function itself(target: Target): Resolution {
  return { kind: 'found', upstream: { target, endpoints: () => SELF } };
}
