// Who owns what the operator makes: one empty, cluster-scoped ClusterRole of the chart, so that everything of ours goes when it
// goes, in every namespace.
import type { V1OwnerReference } from '@kubernetes/client-node';
import { OWNER_CLUSTER_ROLE } from '../../api/pod.ts';
import { err, ok } from '../../kit/result.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import { apiVersion, CLUSTER_ROLES, type KubernetesObject } from '../../kube/types.ts';

/** As far as it is known without asking: the uid is another one after a new installation. */
export const OWNER: Omit<V1OwnerReference, 'uid'> = {
  apiVersion: apiVersion(CLUSTER_ROLES),
  kind: CLUSTER_ROLES.kind,
  name: OWNER_CLUSTER_ROLE,
};

/** Asked anew for each object that is written, which is seldom: with an old uid it would be collected at once. */
export async function withOwner<T extends KubernetesObject>(kube: Pick<Kube, 'get'>, object: T): Answered<T> {
  const role = await kube.get(CLUSTER_ROLES, OWNER_CLUSTER_ROLE);
  if (!role.ok && role.error.kind !== 'not-found') return role;
  const uid = role.ok && role.value.metadata?.deletionTimestamp === undefined ? role.value.metadata?.uid : undefined;
  if (uid === undefined) return err({ kind: 'failed', message: MISSING });
  return ok({ ...object, metadata: { ...object.metadata, ownerReferences: [{ ...OWNER, uid }] } });
}

const MISSING =
  `the ClusterRole "${OWNER_CLUSTER_ROLE}" is not there, so what would be written could not be cleaned up later; ` +
  'it is part of the chart: run helm upgrade, unless Invoke is being uninstalled';
