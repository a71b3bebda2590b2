// Authorize, for calls that leave the mesh: may this sidecar's app call that outside service?
//
//   identify > [authorize] > resilience > transport
//
// A named endpoint may be called by the apps that are given it. A URL may where a rule names its host; on a laptop any public
// host may be called, too. What a name leads to is judged once more, address by address, as a connection is made
// (sidecar/external/connect.ts): `mayConnectTo` says how.
import type { ExternalCall } from '../../api/call.ts';
import { type ExternalPattern, isMatch } from '../../api/external-pattern.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Origin, originText } from '../../api/origin.ts';
import { err, ok, type Result } from '../../kit/result.ts';

declare const permitted: unique symbol;
/** `reach`: to which addresses its name may lead. */
export type PermittedExternalCall = ExternalCall & { readonly reach: Reach; readonly [permitted]: true };

/** `public`: nobody has named the host. `private`: somebody has, and it may be one of the own network. */
export type Reach = 'public' | 'private';

export interface ExternalRules {
  readonly allowed: readonly ExternalPattern[];
  /** Whether a public host may be called that no rule names. */
  readonly arePublicHostsAllowed: boolean;
  /** Who can allow more, and how; for people. */
  readonly advice: string;
}

export function authorizeExternal(call: ExternalCall, rules: ExternalRules): Result<PermittedExternalCall, Fault> {
  const reach = reachOf(call, rules);
  if (reach === undefined) return err(notAllowed(call.target.origin, rules));
  return ok({ ...call, reach } as PermittedExternalCall);
}

function reachOf({ target }: ExternalCall, { allowed, arePublicHostsAllowed }: ExternalRules): Reach | undefined {
  if (target.endpoint !== undefined) return 'private';
  const matching = allowed.filter((pattern) => isMatch(pattern, target.origin));
  if (matching.some(({ kind }) => kind !== 'any')) return 'private';
  return matching.length > 0 || arePublicHostsAllowed ? 'public' : undefined;
}

function notAllowed(origin: Origin, { advice }: ExternalRules): Fault {
  return fault('denied', `calls to ${originText(origin)} are not allowed from here, so nothing was sent. ${advice}`);
}
