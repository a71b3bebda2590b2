// Authorize: may this caller make this call?
//
//   identify > [authorize] > resolve > resilience > transport
//
// Every call has a proven caller by the time it comes here. No policy narrows that yet: whoever our CA vouches for may
// call. What already holds is the shape: only this file makes a PermittedCall and transport takes nothing else, so a
// way that forgets to ask does not compile.
import type { Call } from '../../api/call.ts';

declare const permitted: unique symbol;
export type PermittedCall = Call & { readonly [permitted]: true };

export function authorize(call: Call): PermittedCall {
  return call as PermittedCall;
}
