// The policies of a cluster that are in audit mode, and what the sidecars of its pods counted, by way of the API server.
import type { Namespace } from '../../api/ids.ts';
import { APP_ID_KEY, METRICS_PORT_NAME, SIDECAR_CONTAINER } from '../../api/pod.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import type { Kube } from '../../kube/kube.ts';
import { PODS } from '../../kube/types.ts';
import { type AuditCount, countsIn } from './counts.ts';
import { type AuditedPolicy, type AuditFacts, countsOf, inTurns, outcomes } from './facts.ts';

type Pod = NonNullable<(typeof PODS)['object']>;

export async function clusterFacts(kube: Kube, namespace: Namespace | undefined): Promise<Result<AuditFacts>> {
  const scope = namespace === undefined ? {} : { namespace };
  const policies = await kube.list(ACCESS_POLICIES, scope);
  if (!policies.ok) return err(policies.error.message);
  const audited = policies.value.items.filter(({ spec }) => spec.mode === 'audit').map(auditedPolicy);
  if (audited.length === 0) return ok({ policies: audited, sidecars: 0, counts: [], problems: [] });
  const pods = await kube.list(PODS, { ...scope, labelSelector: APP_ID_KEY });
  if (!pods.ok) return err(pods.error.message);
  const read = await inTurns(pods.value.items.filter(isRunning), (pod) => podCounts(kube, pod));
  const names = new Set(audited.map(({ name }) => name));
  // A sidecar goes on counting what it counted of a policy that is enforced by now.
  const counts = countsOf(read).filter(({ policy }) => names.has(policy));
  return ok({ policies: audited, counts, ...outcomes(read) });
}

function auditedPolicy({ metadata, status }: NonNullable<(typeof ACCESS_POLICIES)['object']>): AuditedPolicy {
  return { name: `${metadata.namespace}/${metadata.name}`, lastDeniedTime: status?.audit?.lastDeniedTime };
}

function isRunning({ status }: Pod): boolean {
  return status?.phase === 'Running';
}

async function podCounts(kube: Kube, { metadata, spec }: Pod): Promise<Result<readonly AuditCount[]>> {
  const { name = '', namespace = '', labels = {} } = metadata ?? {};
  const sidecar = spec?.initContainers?.find((container) => container.name === SIDECAR_CONTAINER);
  const port = sidecar?.ports?.find((one) => one.name === METRICS_PORT_NAME)?.containerPort;
  if (port === undefined) return err(`the pod ${namespace}/${name} has no sidecar with metrics`);
  const page = await kube.podPage({ namespace, name, port }, '/metrics');
  return page.ok ? ok(countsIn(page.value, `${labels[APP_ID_KEY]}.${namespace}`)) : err(page.error.message);
}
