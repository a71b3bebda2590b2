// The other half of the fence: of the lists `mayCall` of all namespaces, which do not have an app. Its sidecar is told these
// namespaces by their names, and so the fence of a namespace holds, whatever a caller's own sidecar has been made to do.
import type { Target } from '../../api/ids.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { barredFrom, compileWayOut, type WayOut } from '../../policy/fence/fence.ts';
import { readNamespaceAccess } from '../../policy/fence/read-fence.ts';

/** What is asked for each app of the cluster is worked out once for each policy. */
const waysOut = new WeakMap<NamespacePolicy, WayOut>();

/** In order. As many as there are policies with such a list, at most. */
export function barredNamespaces(policies: readonly NamespacePolicy[], target: Target): readonly string[] {
  return barredFrom(target, policies.map(wayOutOf)).toSorted();
}

/** Whether what a change of a policy says of other namespaces has changed. */
export function isSameOutside(before: NamespacePolicy | undefined, now: NamespacePolicy | undefined): boolean {
  return JSON.stringify(before?.spec?.mayCall) === JSON.stringify(now?.spec?.mayCall);
}

function wayOutOf(policy: NamespacePolicy): WayOut {
  let wayOut = waysOut.get(policy);
  if (wayOut === undefined) {
    wayOut = compileWayOut(policy.metadata.name, readMayCall(policy));
    waysOut.set(policy, wayOut);
  }
  return wayOut;
}

function readMayCall({ spec }: NamespacePolicy): NamespacePolicy['spec']['mayCall'] {
  if (spec?.mayCall === undefined) return undefined;
  const access = readNamespaceAccess(spec);
  // A list that cannot be read names nobody who may be called.
  return access.ok ? (access.value.mayCall ?? []) : [];
}
