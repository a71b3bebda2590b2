// The other half of the fence: of the lists `mayCall` of all namespaces, which do not have an app. Its sidecar is told these
// namespaces by their names, and so the fence of a namespace holds, whatever a caller's own sidecar has been made to do.
import type { Target } from '../../api/ids.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { readNamespaceAccess } from '../../policy/fence/read-fence.ts';
import { type Glob, matchesGlob, parseGlob } from '../../policy/match/glob.ts';

interface Callees {
  readonly namespace: Glob;
  readonly app: Glob;
}

/** What is asked for each app of the cluster is worked out once for each policy. Undefined: all may be called. */
const calleesOf = new WeakMap<NamespacePolicy, readonly Callees[] | undefined>();

/** In order. As many as there are policies with such a list, at most. */
export function barredNamespaces(policies: readonly NamespacePolicy[], target: Target): readonly string[] {
  return policies
    .filter((policy) => policy.metadata.name !== target.namespace && !mayCall(policy, target))
    .map(({ metadata }) => metadata.name)
    .toSorted();
}

/** Whether what a change of a policy says of other namespaces has changed. */
export function isSameOutside(before: NamespacePolicy | undefined, now: NamespacePolicy | undefined): boolean {
  return JSON.stringify(before?.spec?.mayCall) === JSON.stringify(now?.spec?.mayCall);
}

function mayCall(policy: NamespacePolicy, target: Target): boolean {
  if (!calleesOf.has(policy)) calleesOf.set(policy, read(policy));
  const callees = calleesOf.get(policy);
  if (callees === undefined) return true;
  return callees.some(({ namespace, app }) => matchesGlob(namespace, target.namespace) && matchesGlob(app, target.app));
}

function read({ spec }: NamespacePolicy): readonly Callees[] | undefined {
  if (spec?.mayCall === undefined) return undefined;
  const access = readNamespaceAccess(spec);
  // A list that cannot be read names nobody who may be called.
  const listed = access.ok ? (access.value.mayCall ?? []) : [];
  return listed.map(({ namespace, app = '*' }) => ({ namespace: parseGlob(namespace), app: parseGlob(app) }));
}
