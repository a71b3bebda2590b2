// What this sidecar judges calls by, made ready once for each change of policies and not for each call.
import type { Identity } from '../../api/ids.ts';
import type { Log } from '../../kit/log.ts';
import { derived, type Snapshot } from '../../kit/snapshot.ts';
import { type AccessRules, compileAccess, type UnreadablePolicy } from '../../policy/access/compile.ts';
import { Leaving } from './leaving.ts';
import type { AccessResources, PlacedNamespaceAccess } from './resources.ts';

/** Immutable. */
export interface Access {
  /** Undefined: whoever has a certificate may call. */
  readonly entering: AccessRules | undefined;
  /** Undefined: every app may be called, as far as this end knows. */
  readonly leaving: Leaving | undefined;
}

/** `isEachTold`: even where nothing narrows calls, somebody wants to hear of each how it was judged. */
export function readyAccess(
  resources: Snapshot<AccessResources>,
  own: Identity,
  log: Log,
  isEachTold = log.isDebug,
): Snapshot<Access> {
  resources.changed(({ policies }) => log.info('access policies have changed', { policies: policies.length }));
  return derived(resources, (all) => compile(all, own, isEachTold));
}

export function compile(resources: AccessResources, own: Identity, isEachTold = false): Access {
  const rules = entering(resources, own);
  return {
    entering: isOpen(rules) && !isEachTold ? undefined : rules,
    leaving: Leaving.by(resources.namespaces, own),
  };
}

function entering({ policies, namespaces, barred, installation }: AccessResources, own: Identity): AccessRules {
  const namespace = namespaces.find((one) => one.namespace === own.namespace);
  const unread = namespace !== undefined && namespace.access === undefined ? [closing(namespace)] : [];
  const callableFrom = namespace?.access?.callableFrom;
  return compileAccess({
    own,
    policies: [...unread, ...policies],
    defaults: { namespace: namespace?.access?.defaultAccess, installation },
    fence: { barred, ...(callableFrom && { callableFrom }) },
  });
}

/** Nobody can tell whom its fence was to keep out. */
function closing({ namespace, reason = '' }: PlacedNamespaceAccess): UnreadablePolicy {
  return { namespace, name: 'NamespacePolicy', mode: 'enforce', reason };
}

function isOpen({ enforced, audit, fence }: AccessRules): boolean {
  const isEverybodyIn = fence.callableFrom === undefined && fence.barred.size === 0;
  const isNothingSaid = enforced.deny.size === 0 && enforced.otherwise.kind === 'allow' && audit === undefined;
  return isEverybodyIn && isNothingSaid && enforced.allow.size === 0;
}
