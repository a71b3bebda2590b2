// The way in: from a peer's sidecar (or from this app to itself), through this sidecar, to the app.
//
//   edge/peer (identifies) ▶ authorize ▶ limit ▶ transport ▶ app
//
// Who calls was proven when the connection was made, and stands in the call. There is nothing to resolve, and nothing is
// tried twice here: the caller's sidecar knows what can be repeated, and where.
import { type Open, type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Authorizer, PermittedCall } from '../authorize/authorize.ts';
import type { Grounds } from '../authorize/grounds.ts';
import type { Limits } from '../limit/limits.ts';
import type { Flights } from './flights.ts';

export interface InboundStages {
  readonly flights: Flights;
  readonly grounds: Grounds;
  readonly authorizer: Pick<Authorizer, 'enter'>;
  readonly limits: Pick<Limits, 'admission'>;
  readonly transport: { readonly app: (call: PermittedCall, reply: ReplyEnd) => RequestEnd };
}

export function inboundWay(stages: InboundStages): Open {
  return (call, caller) =>
    stages.flights.track('inbound', call, caller, (reply) => {
      const groundless = stages.grounds.problem(); //       no snapshot, no judgement: `not-ready`, and why
      if (groundless) return refuse(reply, groundless);
      const permitted = stages.authorizer.enter(call); //   by all policies: the only maker of a PermittedCall
      if (permitted.kind === 'denied') return refuse(reply, permitted.fault);
      const { admission } = stages.limits; //               only where a Resiliency says something of calls to this app
      if (admission !== undefined) return admission.open(permitted, reply, stages.transport.app);
      return stages.transport.app(permitted, reply);
    });
}
