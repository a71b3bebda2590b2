// For tests: an API server, and what a reconciler of the objects of apps knows beside those objects. A Deployment claims the app
// `web` in the namespace `shop`.
import type { V1Namespace, V1Pod } from '@kubernetes/client-node';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { CLUSTER_ROLES, type KubernetesObject } from '../../kube/types.ts';
import type { Workload } from '../../kube/workload.ts';
import { type Claims, followClaims } from '../claims.ts';
import { type MemoryStore, memoryStore } from '../testing-stores.ts';
import type { OwnObjectDeps } from './own-objects.ts';
import type { Reconciler } from './reconciler.ts';

export const WEB: Workload = {
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { template: { metadata: { annotations: { 'invoke.io/app-id': 'web' } } } },
};

export interface Apps {
  readonly server: ApiServer;
  readonly namespaces: MemoryStore<V1Namespace>;
  readonly workloads: MemoryStore<Workload>;
  readonly pods: MemoryStore<V1Pod>;
  readonly claims: Claims;
  /** What was said of objects, a line each. */
  readonly reported: string[];
  readonly own: OwnObjectDeps;
}

export async function startApps(...pods: readonly V1Pod[]): Promise<Apps> {
  const server = await startApiServer();
  server.put(CLUSTER_ROLES, { metadata: { name: 'invoke-owner' } });
  const [workloads, podStore] = [memoryStore(WEB), memoryStore(...pods)];
  const reported: string[] = [];
  return {
    server,
    namespaces: memoryStore<V1Namespace>({ metadata: { name: 'shop' } }),
    workloads,
    pods: podStore,
    claims: followClaims({ pods: podStore, workloads: [workloads] }),
    reported,
    own: {
      kube: server.kube,
      report: ({ kind, metadata }, { reason, note }) => reported.push(`${kind} ${metadata?.name}: ${reason}: ${note}`),
    },
  };
}

/** The watch brings what the API server has of the app's object. */
export function hear<T extends KubernetesObject>(store: MemoryStore<T>, found: T | undefined): void {
  if (found === undefined) store.remove('shop/web-invoke');
  else store.put(found);
}

/** The keys that a reconciler looks at because of the change. */
export function looked(reconciler: Reconciler, change: () => void): readonly string[] {
  const keys: string[] = [];
  const cancel = reconciler.follow((key) => keys.push(key));
  change();
  cancel();
  return keys;
}
