// The policies of a cluster that are in audit mode, and what the sidecars of its pods counted, by way of the API server.
import type { Namespace } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import type { Kube } from '../../kube/kube.ts';
import { askInTurns } from '../ask-in-turns.ts';
import { type MeshedPod, meshedPods, podMetrics } from '../pod-metrics.ts';
import { type AuditCount, countsIn } from './counts.ts';
import type { AuditedPolicy, AuditFacts } from './facts.ts';

export async function clusterFacts(kube: Kube, namespace: Namespace | undefined): Promise<Result<AuditFacts>> {
  const scope = namespace === undefined ? {} : { namespace };
  const policies = await kube.list(ACCESS_POLICIES, scope);
  if (!policies.ok) return err(policies.error.message);
  const audited = policies.value.items.filter(({ spec }) => spec.mode === 'audit').map(auditedPolicy);
  if (audited.length === 0) return ok({ policies: audited, sidecars: 0, counts: [], problems: [] });
  const pods = await meshedPods(kube, namespace);
  if (!pods.ok) return pods;
  const ask = async (pod: MeshedPod) => podCounts(pod, await podMetrics(kube, pod));
  const { answers, problems } = await askInTurns(pods.value, ask);
  const names = new Set(audited.map(({ name }) => name));
  // A sidecar goes on counting what it counted of a policy that is enforced by now.
  const counts = answers.flat().filter(({ policy }) => names.has(policy));
  return ok({ policies: audited, sidecars: answers.length, counts, problems });
}

function auditedPolicy({ metadata, status }: NonNullable<(typeof ACCESS_POLICIES)['object']>): AuditedPolicy {
  return { name: `${metadata.namespace}/${metadata.name}`, lastDeniedTime: status?.audit?.lastDeniedTime };
}

function podCounts({ appId, namespace }: MeshedPod, page: Result<string>): Result<readonly AuditCount[]> {
  return page.ok ? ok(countsIn(page.value, `${appId}.${namespace}`)) : page;
}
