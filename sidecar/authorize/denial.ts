// What a caller is told whose call is denied: by what, and where to look. Whoever comes from another trust domain is not told how
// things are called here; and nobody is told of any rule but the one that decided.
import { type Fault, fault } from '../../api/fault.ts';
import { type Identity, spiffeId, type Target, targetName } from '../../api/ids.ts';
import type { Denied, Ground } from '../../policy/access/verdict.ts';

/** By the sidecar of the app that is called. */
export function mayNotEnter(own: Identity, caller: Identity, { by }: Denied): Fault {
  return fault('denied', `${targetName(own)} does not let in this call of ${spiffeId(caller)}${why(by, own, caller)}.`);
}

/** As above, of a call that had been let in. */
export function mayNotStay(own: Identity, caller: Identity, { by }: Denied): Fault {
  const words = `policies have changed, and ${targetName(own)} lets in no such call of ${spiffeId(caller)} any more`;
  return fault('denied', `${words}${why(by, own, caller)}; the app may have seen what came before.`);
}

/** By the caller's own. */
export function mayNotLeave(own: Identity, target: Target, { by }: Denied): Fault {
  const words = `${targetName(own)} may not call ${targetName(target)}, so nothing was sent`;
  return fault('denied', `${words}${reason(by)}. The platform team's NamespacePolicy decides that.`);
}

function why(by: Ground, own: Identity, caller: Identity): string {
  if (caller.trustDomain !== own.trustDomain) return '';
  return `${reason(by)}; \`invokectl explain\` says what would let it in`;
}

function reason(by: Ground): string {
  switch (by.kind) {
    case 'rule':
      return `: the rule ${by.name} denies it`;
    case 'default':
      return by.of === 'policy' ? `: no rule allows it, by the ${by.name}` : `: the ${by.name} is to deny`;
    case 'fence':
      return `: ${by.name} does not have it`;
    case 'unreadable':
      return `: the policy ${by.name} cannot be read, and closes what it was to protect until it is put right`;
  }
}
