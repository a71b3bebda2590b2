// The policies of a cluster that have to do with one call, read with the rights of whoever asks.
import type { AccessPolicy } from '../api/resources/access-policy.ts';
import { readAccessPolicy } from '../api/resources/access-policy.ts';
import { readNamespacePolicy } from '../api/resources/namespace-policy.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { ACCESS_POLICIES, NAMESPACE_POLICIES } from '../kube/custom.ts';
import type { Kube } from '../kube/kube.ts';
import type { UnreadablePolicy } from '../policy/access/compile.ts';
import type { PlacedPolicy } from '../policy/access/rule.ts';
import type { Question } from './policy-question.ts';
import type { PlacedNamespacePolicy, Policies } from './policy-sources.ts';

export async function policiesFor({ target, call }: Question, kube: Kube): Promise<Result<Policies>> {
  const listed = await kube.list(ACCESS_POLICIES, { namespace: target.namespace });
  if (!listed.ok) return err(listed.error.message);
  const namespaces: PlacedNamespacePolicy[] = [];
  for (const namespace of new Set([target.namespace, call.caller.namespace])) {
    const read = await namespacePolicy(namespace, kube);
    if (!read.ok) return read;
    if (read.value !== undefined) namespaces.push(read.value);
  }
  return ok({ access: listed.value.items.map(placed), namespaces });
}

/** One that got in and cannot be read closes what it was to protect. */
function placed({ metadata, spec }: AccessPolicy): PlacedPolicy | UnreadablePolicy {
  const { name, namespace = '' } = metadata;
  const read = readAccessPolicy(spec);
  if (read.ok) return { namespace, name, spec: read.value };
  return { namespace, name, mode: spec.mode === 'audit' ? 'audit' : 'enforce', reason: read.error.join('; ') };
}

async function namespacePolicy(namespace: string, kube: Kube): Promise<Result<PlacedNamespacePolicy | undefined>> {
  const got = await kube.get(NAMESPACE_POLICIES, namespace);
  if (!got.ok) return got.error.kind === 'not-found' ? ok(undefined) : err(got.error.message);
  const read = readNamespacePolicy(got.value.spec);
  if (read.ok) return ok({ namespace, spec: read.value });
  return err(`the NamespacePolicy ${namespace} cannot be read: ${read.error.join('; ')}`);
}
