// The ConfigMap with the trust anchors in one namespace: a copy of the one that the sentry publishes in ours. Pure: facts in, one
// step out.
import type { V1ConfigMap, V1Namespace } from '@kubernetes/client-node';
import type { Namespace } from '../../api/ids.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, TRUST_BUNDLE, TRUST_BUNDLE_KEY } from '../../api/pod.ts';
import { includes } from './includes.ts';
import { OWNER } from './owner.ts';

export interface TrustBundleFacts {
  readonly name: Namespace;
  /** Undefined: gone, or not known yet. */
  readonly namespace: V1Namespace | undefined;
  /** Where the sentry publishes. */
  readonly ownNamespace: Namespace;
  readonly published: V1ConfigMap | undefined;
  readonly existing: V1ConfigMap | undefined;
}

export type TrustBundleStep =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'apply'; readonly bundle: V1ConfigMap }
  /** It cannot be mended where it stands. */
  | { readonly kind: 'remake'; readonly existing: V1ConfigMap; readonly bundle: V1ConfigMap };

type Check = (facts: TrustBundleFacts) => TrustBundleStep | undefined;

/** The first that has something to say decides. */
const CHECKS: readonly Check[] = [skipOwn, skipDying, skipUnpublished, remakeUnmendable, mend];

export function trustBundleStep(facts: TrustBundleFacts): TrustBundleStep {
  for (const check of CHECKS) {
    const step = check(facts);
    if (step !== undefined) return step;
  }
  return { kind: 'nothing' };
}

/** PEM; undefined where the sentry has published none. */
export function anchorsIn(bundle: V1ConfigMap | undefined): string | undefined {
  return bundle?.data?.[TRUST_BUNDLE_KEY] || undefined;
}

/** The sentry's. */
function skipOwn({ name, ownNamespace }: TrustBundleFacts): TrustBundleStep | undefined {
  return name === ownNamespace ? { kind: 'nothing' } : undefined;
}

/** Nothing can be made in it any more. */
function skipDying({ namespace }: TrustBundleFacts): TrustBundleStep | undefined {
  const isAlive = namespace !== undefined && namespace.metadata?.deletionTimestamp === undefined;
  return isAlive ? undefined : { kind: 'nothing' };
}

/** What is there stays: sidecars that run on it go on. */
function skipUnpublished({ published }: TrustBundleFacts): TrustBundleStep | undefined {
  return anchorsIn(published) === undefined ? { kind: 'nothing' } : undefined;
}

/** Whoever may edit a ConfigMap can freeze it, or take its key for binary data. */
function remakeUnmendable(facts: TrustBundleFacts): TrustBundleStep | undefined {
  const { existing } = facts;
  if (existing === undefined || existing.metadata?.deletionTimestamp !== undefined) return undefined;
  const isTaken = existing.binaryData?.[TRUST_BUNDLE_KEY] !== undefined;
  const isFrozen = existing.immutable === true && !isAsWanted(facts);
  return isTaken || isFrozen ? { kind: 'remake', existing, bundle: wantedBundle(facts) } : undefined;
}

function mend(facts: TrustBundleFacts): TrustBundleStep | undefined {
  return isAsWanted(facts) ? undefined : { kind: 'apply', bundle: wantedBundle(facts) };
}

function isAsWanted(facts: TrustBundleFacts): boolean {
  const { existing } = facts;
  return includes(existing, wantedBundle(facts)) && includes(existing?.metadata?.ownerReferences, [OWNER]);
}

/** All of it that is ours, without the owner, whose uid is looked up when it is written. */
function wantedBundle({ name, published }: TrustBundleFacts): V1ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: TRUST_BUNDLE, namespace: name, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    data: { [TRUST_BUNDLE_KEY]: anchorsIn(published) ?? '' },
  };
}
