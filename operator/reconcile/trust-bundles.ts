// Keeps the trust anchors in every namespace: gathers what is known of one, and does what trust-bundle.ts says. The webhook asks
// for it too, before it lets in a pod that mounts them.
import { type Namespace, parseNamespace } from '../../api/ids.ts';
import { TRUST_BUNDLE } from '../../api/pod.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import { CONFIG_MAPS, keyOf } from '../../kube/types.ts';
import type { Stores } from '../stores.ts';
import { withOwner } from './owner.ts';
import { outcome, type Reconciled, type Reconciler } from './reconciler.ts';
import { anchorsIn, type TrustBundleFacts, type TrustBundleStep, trustBundleStep } from './trust-bundle.ts';

export interface TrustBundlesOptions {
  readonly kube: Pick<Kube, 'get' | 'apply' | 'delete'>;
  readonly stores: Pick<Stores, 'namespaces' | 'trustBundles'>;
  readonly ownNamespace: Namespace;
}

export function trustBundlesReconciler(options: TrustBundlesOptions): Reconciler {
  const { stores, ownNamespace } = options;
  const keys = () => stores.namespaces.all().map(keyOf);
  return {
    name: 'trust-bundles',
    keys,
    follow(look) {
      const cancels = [
        stores.namespaces.changed((name) => look(name)),
        stores.trustBundles.changed((key) => {
          const [namespace = ''] = key.split('/');
          if (namespace === ownNamespace) keys().forEach(look);
          else look(namespace);
        }),
      ];
      return () => {
        for (const cancel of cancels) cancel();
      };
    },
    async reconcile(key) {
      const name = parseNamespace(key);
      if (!name.ok) return ok({ did: 'nothing' });
      return await carryOut(trustBundleStep(gather(name.value, options)), options);
    },
  };
}

/** Settles when the namespace has the anchors; by any replica, whoever leads. */
export type EnsureTrustBundle = (namespace: Namespace) => Promise<Result<void>>;

export function ensureTrustBundle(options: TrustBundlesOptions): EnsureTrustBundle {
  return async (name) => {
    const facts = gather(name, options);
    const published = await lookUpPublished(facts, options.kube);
    if (!published.ok) return published;
    // A namespace that is not known here yet is there all the same: a pod is being made in it.
    const namespace = facts.namespace ?? { metadata: { name } };
    const done = await carryOut(trustBundleStep({ ...facts, namespace, published: published.value }), options);
    if (done.ok) return ok(undefined);
    return err(`the trust anchors cannot be put into the namespace "${name}": ${done.error.message}`);
  };
}

type Published = Exclude<TrustBundleFacts['published'], undefined>;

/** Seconds after an installation the sentry may have published what this replica has not heard of. */
async function lookUpPublished(facts: TrustBundleFacts, kube: Pick<Kube, 'get'>): Promise<Result<Published>> {
  const { ownNamespace, published } = facts;
  if (published !== undefined && anchorsIn(published) !== undefined) return ok(published);
  const found = await kube.get(CONFIG_MAPS, TRUST_BUNDLE, ownNamespace);
  if (found.ok && anchorsIn(found.value) !== undefined) return ok(found.value);
  const why = found.ok || found.error.kind === 'not-found' ? 'it has not done so yet' : found.error.message;
  return err(
    `there are no trust anchors to give to the pod: the sentry publishes them in the ConfigMap ${ownNamespace}/${TRUST_BUNDLE}, ` +
      `but ${why}; see whether its pods in "${ownNamespace}" run`,
  );
}

function gather(name: Namespace, { stores, ownNamespace }: TrustBundlesOptions): TrustBundleFacts {
  return {
    name,
    namespace: stores.namespaces.get(name),
    ownNamespace,
    published: stores.trustBundles.get(`${ownNamespace}/${TRUST_BUNDLE}`),
    existing: stores.trustBundles.get(`${name}/${TRUST_BUNDLE}`),
  };
}

async function carryOut(step: TrustBundleStep, { kube }: TrustBundlesOptions): Answered<Reconciled> {
  if (step.kind === 'nothing') return ok({ did: 'nothing' });
  const bundle = await withOwner(kube, step.bundle);
  if (!bundle.ok) return bundle;
  if (step.kind === 'remake') {
    const deleted = await kube.delete(CONFIG_MAPS, step.existing);
    if (!deleted.ok) return deleted;
  }
  return outcome(await kube.apply(CONFIG_MAPS, bundle.value), 'applied');
}
