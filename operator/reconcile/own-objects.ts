// Writing what the operator keeps for an app: made, never taken over; put right, at the version that was looked at. One of somebody
// else's with the name is left alone, and said to be in the way.
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../api/pod.ts';
import { ok } from '../../kit/result.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import type { Kind, KubernetesObject } from '../../kube/types.ts';
import type { Claimant } from '../claims.ts';
import { withOwner } from './owner.ts';
import { outcome, type Reconciled, type Report, type Warning } from './reconciler.ts';

export interface OwnObjectDeps {
  readonly kube: Pick<Kube, 'get' | 'create' | 'patch' | 'delete'>;
  readonly report: Report;
}

/** Whom it concerns that a name is taken, and what they are told of what has it. */
export interface NameTaken<T> {
  readonly claimants: readonly Claimant[];
  readonly warning: (found: T) => Warning;
}

/** What is not ours is not watched: whether it has gone is looked up. */
export const BLOCKED_AGAIN_MS = 30_000;

/** Not by an apply: that would take over what is there. */
export async function createOwn<T extends KubernetesObject>(
  kind: Kind<T>,
  wanted: T,
  taken: NameTaken<T>,
  { kube, report }: OwnObjectDeps,
): Answered<Reconciled> {
  const owned = await withOwner(kube, wanted);
  if (!owned.ok) return owned;
  const created = await kube.create(kind, owned.value);
  if (created.ok || created.error.kind !== 'already-exists') return outcome(created, 'created');
  const found = await kube.get(kind, wanted.metadata?.name ?? '', wanted.metadata?.namespace);
  // Gone again, or ours and not heard of yet: the next look is worth it.
  if (!found.ok) return found;
  if (found.value.metadata?.labels?.[MANAGED_BY_LABEL] === MANAGED_BY) return created;
  const warning = taken.warning(found.value);
  for (const about of [found.value, ...reportedOn(taken.claimants)]) report(about, warning);
  return outcome(ok(undefined), 'blocked', BLOCKED_AGAIN_MS);
}

/** All that may be ours of it, at the version that was looked at: a conflict if that is not the newest. */
export async function replaceOwn<T extends KubernetesObject & { spec?: unknown }>(
  kind: Kind<T>,
  wanted: T,
  kube: OwnObjectDeps['kube'],
): Answered<T> {
  const owned = await withOwner(kube, wanted);
  if (!owned.ok) return owned;
  const { metadata: { name = '', namespace, ...metadata } = {}, spec } = owned.value;
  return await kube.patch(kind, name, namespace, [
    { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'add', path: '/metadata/labels', value: metadata.labels },
    { op: 'add', path: '/metadata/annotations', value: metadata.annotations },
    { op: 'add', path: '/metadata/ownerReferences', value: metadata.ownerReferences },
    { op: 'replace', path: '/spec', value: spec },
  ]);
}

/** The workloads; pods only where nothing made them. */
function reportedOn(claimants: readonly Claimant[]): readonly Claimant[] {
  return claimants.filter(({ metadata }) => !metadata?.ownerReferences?.some(({ controller }) => controller));
}
