// Policies out of resource files, as `kubectl apply` would take them.

import type { Identity } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { PlacedPolicy } from '../../policy/access/rule.ts';
import { barredFrom, compileWayOut } from '../../policy/fence/fence.ts';
import type { NamespaceAccess } from '../../policy/fence/read-fence.ts';
import type { AccessResources } from '../authorize/resources.ts';
import { fieldsOf, namespaceOf, type ResourceDocument } from './documents.ts';

export interface LoadedFence {
  readonly namespace: string;
  readonly access: NamespaceAccess;
}

/** No two of a name. */
export interface LoadedPolicies {
  readonly policies: readonly PlacedPolicy[];
  readonly fences: readonly LoadedFence[];
}

/** Or everything that is wrong with it. */
export async function readAccessPolicyDocument({
  name,
  content,
}: ResourceDocument): Promise<Result<PlacedPolicy, readonly string[]>> {
  const { metadata, spec = {} } = fieldsOf(content);
  // The schemas are a large library, and most folders hold no policy.
  const { readAccessPolicy } = await import('../../api/resources/access-policy.ts');
  const read = readAccessPolicy(spec);
  if (!read.ok) return read;
  const namespace = namespaceOf(metadata);
  return namespace.ok ? ok({ namespace: namespace.value, name, spec: read.value }) : err([namespace.error]);
}

export async function readNamespacePolicyDocument({
  name,
  content,
}: ResourceDocument): Promise<Result<LoadedFence, readonly string[]>> {
  const { readNamespacePolicy } = await import('../../api/resources/namespace-policy.ts');
  const read = readNamespacePolicy(fieldsOf(content).spec ?? {});
  if (!read.ok) return read;
  const { callableFrom, mayCall, defaultAccess } = read.value;
  const access = {
    ...(callableFrom && { callableFrom }),
    ...(mayCall && { mayCall }),
    ...(defaultAccess && { defaultAccess }),
  };
  return ok({ namespace: name, access });
}

/** What one sidecar makes of them; there is no installation whose default could be another. */
export function accessOf({ policies, fences }: LoadedPolicies, own: Identity): AccessResources {
  const waysOut = fences.map(({ namespace, access }) => compileWayOut(namespace, access.mayCall));
  return { policies, namespaces: fences, barred: barredFrom(own, waysOut), installation: 'allow' };
}

/** Whether it is about the app at all. */
export function isAbout({ namespace, spec }: PlacedPolicy, own: Identity): boolean {
  return namespace === own.namespace && (spec.apps?.includes(own.app) ?? true);
}
