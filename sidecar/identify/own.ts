// Identify, on the way out: this sidecar's own identity, and whether it can be proven right now.
import { type Fault, fault } from '../../api/fault.ts';
import type { IdentitySource } from '../../identity/source.ts';

export interface OwnIdentity {
  /** Why no call can be made in this identity's name; undefined when it can. */
  problem(): Fault | undefined;
}

export function ownIdentity(source: IdentitySource): OwnIdentity {
  return {
    problem() {
      const state = source.state();
      if (state.kind === 'ready') return undefined;
      const why = state.lastError === undefined ? 'it has just asked for one' : state.lastError;
      return fault('not-ready', `this sidecar has no certificate to call with: ${why}.`);
    },
  };
}
