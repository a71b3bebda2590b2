// For tests and benchmarks: everything is permitted, as it is where nobody has written a policy.
import type { Call } from '../../api/call.ts';
import type { Identity } from '../../api/ids.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { compile } from '../authorize/access.ts';
import { Authorizer, type PermittedCall } from '../authorize/authorize.ts';
import { EVERYBODY_MAY } from '../authorize/resources.ts';

export function permitsAll(own: Identity): Authorizer {
  return new Authorizer(own, snapshot(compile(EVERYBODY_MAY, own)), { judged: () => undefined });
}

export function permitted<C extends Call>(call: C): PermittedCall & C {
  const judged = permitsAll(call.caller).enter(call);
  if (judged.kind === 'denied') throw new Error(judged.fault.message);
  return judged as PermittedCall & C;
}
