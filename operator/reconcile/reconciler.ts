// What a reconciler is: it knows the keys of what it keeps, hears when one has to be looked at, and brings one to where it
// ought to be. Looking twice does nothing twice.
import type { Cancel } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Answered, KubeFailure } from '../../kube/kube.ts';
import type { KubernetesObject } from '../../kube/types.ts';

export interface Reconciler {
  /** For metrics and the log. */
  readonly name: string;
  /** All that there is to look at, for one who begins. */
  keys(): readonly string[];
  /** Calls `look` with each key that has changed since. */
  follow(look: (key: string) => void): Cancel;
  /** Never rejects. What is said here by a failure is tried again with a growing wait. */
  reconcile(key: string): Answered<Reconciled>;
}

export interface Reconciled {
  readonly did: 'nothing' | 'created' | 'applied' | 'deleted' | 'blocked';
  /** Look again then, whatever happens; time alone, or what no watch tells, will have made a difference. */
  readonly againInMs?: number;
}

/** A Warning on an object, for `kubectl describe`. Said again and again it is one Event in a while. */
export type Report = (about: KubernetesObject, warning: Warning) => void;

export interface Warning {
  /** Why, and what was tried: one word each, for programs. */
  readonly reason: string;
  readonly action: string;
  /** For people. */
  readonly note: string;
}

/** The outcome of one write. */
export function outcome(
  answer: Result<unknown, KubeFailure>,
  did: Reconciled['did'],
  againInMs?: number,
): Result<Reconciled, KubeFailure> {
  if (!answer.ok) return err(answer.error);
  return ok(againInMs === undefined ? { did } : { did, againInMs });
}
