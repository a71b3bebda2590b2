// How far a call has come (attempts.ts draws it).
import type { Cancel } from '../../kit/clock.ts';
import type { Upstream } from '../resolve/resolver.ts';
import type { TargetState } from './targets.ts';
import type { Trial } from './trial.ts';

/** A try under way is the phase itself, `trying` or `replying`: a call has one object for both. */
export type Phase =
  | { readonly kind: 'resolving' | 'pausing'; readonly cancel: Cancel }
  | { readonly kind: 'queueing'; readonly upstream: Upstream; readonly target: TargetState }
  | Trial
  | { readonly kind: 'done' };

export const NOTHING: Cancel = () => undefined;
export const UNRESOLVED: Phase = { kind: 'resolving', cancel: NOTHING };
export const DONE: Phase = { kind: 'done' };

export function isTrial(phase: Phase): phase is Trial {
  return phase.kind === 'trying' || phase.kind === 'replying' || phase.kind === 'tunnel';
}
