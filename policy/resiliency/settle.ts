// Which of several Resiliency objects of a namespace are in effect. Two that say something of one thing for one app cannot
// both be: the older one is, and the other is put aside as a whole and says so in its status (`Accepted=False`). The operator and
// every sidecar come to the same answer, each by itself.
import type { Target } from '../../api/ids.ts';
import type { ResiliencySpec } from '../../api/resources/resiliency.ts';

/** A Resiliency by its place and its spec with defaults. */
export interface PlacedResiliency {
  readonly namespace: string;
  readonly name: string;
  readonly createdMs: number;
  readonly spec: ResiliencySpec;
}

export interface Conflict {
  readonly loser: PlacedResiliency;
  readonly winner: PlacedResiliency;
  /** What both speak of, as it is written: `targets.apps[orders]`, `inbound`, `policies.retries.DefaultRetryPolicy`. */
  readonly about: string;
}

export interface Settled {
  readonly accepted: readonly PlacedResiliency[];
  readonly conflicts: readonly Conflict[];
}

/** Of objects of one namespace, in any order. */
export function settle(objects: readonly PlacedResiliency[]): Settled {
  const accepted: PlacedResiliency[] = [];
  const conflicts: Conflict[] = [];
  for (const object of objects.toSorted(byAge)) {
    const conflict = conflictOf(object, accepted);
    if (conflict === undefined) accepted.push(object);
    else conflicts.push(conflict);
  }
  return { accepted, conflicts };
}

/** For one app, of objects of whatever namespace: accepted are those in whose scope it is, the older ones first. */
export function settleFor(own: Target, objects: readonly PlacedResiliency[]): Settled {
  const { accepted, conflicts } = settle(objects.filter(({ namespace }) => namespace === own.namespace));
  return { accepted: accepted.filter(({ spec }) => spec.scopes?.includes(own.app) ?? true), conflicts };
}

export function conflictMessage({ loser, winner, about }: Conflict): string {
  // The API server dates by whole seconds.
  const why = winner.createdMs < loser.createdMs ? 'which is older' : 'which is as old and comes first by name';
  return (
    `${winner.namespace}/${winner.name}, ${why}, says ${about} for the same apps, so nothing of this object is in ` +
    'effect; take it out of one of the two, or give them scopes that do not overlap'
  );
}

function byAge(a: PlacedResiliency, b: PlacedResiliency): number {
  return a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1);
}

function conflictOf(loser: PlacedResiliency, accepted: readonly PlacedResiliency[]): Conflict | undefined {
  const topics = topicsOf(loser.spec);
  for (const winner of accepted) {
    if (!overlap(loser.spec.scopes, winner.spec.scopes)) continue;
    const theirs = new Set(topicsOf(winner.spec));
    const about = topics.find((topic) => theirs.has(topic));
    if (about !== undefined) return { loser, winner, about };
  }
  return undefined;
}

function overlap(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === undefined || b === undefined || a.some((app) => b.includes(app));
}

const KINDS = ['timeouts', 'retries', 'circuitBreakers'] as const;

/** What an object decides for everybody in its scopes. A policy by name is its own affair, unless the name makes it a default. */
function topicsOf({ policies, targets, inbound }: ResiliencySpec): readonly string[] {
  const apps = Object.keys(targets.apps).map((app) => `targets.apps[${app}]`);
  const defaults = KINDS.flatMap((kind) =>
    Object.keys(policies[kind])
      .filter((name) => DEFAULT_NAMES[kind].includes(name))
      .map((name) => `policies.${kind}.${name}`),
  );
  return inbound === undefined ? [...apps, ...defaults] : [...apps, ...defaults, 'inbound'];
}

/** Policies that hold, by their name alone, for apps that no target is about; the first that there is counts. As in Dapr. */
export const DEFAULT_NAMES: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  timeouts: ['DefaultAppTimeoutPolicy', 'DefaultTimeoutPolicy'],
  retries: ['DefaultAppRetryPolicy', 'DefaultRetryPolicy'],
  circuitBreakers: ['DefaultAppCircuitBreakerPolicy', 'DefaultCircuitBreakerPolicy'],
};
