// Conditions in the status of our resources: what they say, and when that is a change.
//
//   Accepted    the spec makes sense as a whole; what the schema cannot say is checked here
//   Programmed  the operator serves this generation to the sidecars that it concerns, and they act on all of it
import type { Resource } from '../../api/resources/object.ts';
import type { Condition, Status } from '../../api/resources/status.ts';

/** What a kind has to say of one of its objects. */
export interface Verdict {
  /** Why the spec cannot be used: reason and message. Undefined: it can. */
  readonly refusal: Reason | undefined;
  /** What of it has no effect in this version. Undefined: all has. */
  readonly unenforced: string | undefined;
}

export interface Reason {
  /** In CamelCase, for programs. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

/** The status as it ought to be; undefined when it is so already. */
export function wantedStatus(object: Resource<unknown>, verdict: Verdict, nowMs: number): Status | undefined {
  const observedGeneration = object.metadata.generation ?? 0;
  const before = object.status?.conditions ?? [];
  const conditions = [accepted(verdict), programmed(verdict)].map((said) =>
    dated({ ...said, observedGeneration }, before, nowMs),
  );
  const isSaid =
    object.status?.observedGeneration === observedGeneration &&
    conditions.every((condition) => before.some((known) => isSame(known, condition)));
  return isSaid ? undefined : { observedGeneration, conditions };
}

/** Whether `now` refuses the object, and it was not refused for that before. */
export function isNewlyRefused(before: Status | undefined, now: Status): boolean {
  const [was, is] = [acceptedIn(before), acceptedIn(now)];
  return is?.status === 'False' && (was?.status !== 'False' || was.message !== is.message);
}

export function acceptedIn(status: Status | undefined): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Accepted');
}

type Said = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

function accepted({ refusal }: Verdict): Said {
  if (refusal !== undefined) return { type: 'Accepted', status: 'False', ...refusal };
  return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the object makes sense as it is' };
}

function programmed({ refusal, unenforced }: Verdict): Said {
  if (refusal !== undefined) {
    const message = 'it is not accepted, so it is not given to any sidecar';
    return { type: 'Programmed', status: 'False', reason: 'NotAccepted', message };
  }
  if (unenforced !== undefined) {
    return { type: 'Programmed', status: 'False', reason: 'NotEnforced', message: unenforced };
  }
  const message = 'all of it is in effect; sidecars have it, or get it when they connect';
  return { type: 'Programmed', status: 'True', reason: 'Programmed', message };
}

/** The time of the last change of the status stays when only the words change. */
export function dated(
  said: Omit<Condition, 'lastTransitionTime'>,
  before: readonly Condition[],
  nowMs: number,
): Condition {
  const known = before.find(({ type }) => type === said.type);
  const isTurn = known?.status !== said.status;
  return { ...said, lastTransitionTime: isTurn ? rfc3339(nowMs) : known.lastTransitionTime };
}

/** metav1.Time has no fractions of a second. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function isSame(a: Condition, b: Condition): boolean {
  return (
    a.type === b.type &&
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}
