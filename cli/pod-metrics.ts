// The metrics of sidecars in a cluster, by way of the API server: pods with an app id, and the page that each of them serves.
import type { Namespace } from '../api/ids.ts';
import { APP_ID_KEY, METRICS_PORT_NAME, SIDECAR_CONTAINER } from '../api/pod.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Kube } from '../kube/kube.ts';
import { PODS } from '../kube/types.ts';

type Pod = NonNullable<(typeof PODS)['object']>;

export interface MeshedPod {
  readonly namespace: string;
  readonly name: string;
  readonly appId: string;
  /** Where its sidecar has metrics, if it has. */
  readonly metricsPort: number | undefined;
}

/** Those that run. */
export async function meshedPods(kube: Kube, namespace: Namespace | undefined): Promise<Result<readonly MeshedPod[]>> {
  const pods = await kube.list(PODS, { ...(namespace !== undefined && { namespace }), labelSelector: APP_ID_KEY });
  if (!pods.ok) return err(pods.error.message);
  return ok(pods.value.items.filter(({ status }) => status?.phase === 'Running').map(meshedPod));
}

function meshedPod({ metadata, spec }: Pod): MeshedPod {
  const { name = '', namespace = '', labels = {} } = metadata ?? {};
  const sidecar = spec?.initContainers?.find((container) => container.name === SIDECAR_CONTAINER);
  const metricsPort = sidecar?.ports?.find((port) => port.name === METRICS_PORT_NAME)?.containerPort;
  return { namespace, name, appId: labels[APP_ID_KEY] ?? '', metricsPort };
}

export async function podMetrics(kube: Kube, { namespace, name, metricsPort }: MeshedPod): Promise<Result<string>> {
  if (metricsPort === undefined) return err(`the pod ${namespace}/${name} has no sidecar with metrics`);
  const page = await kube.podPage({ namespace, name, port: metricsPort }, '/metrics');
  return page.ok ? page : err(page.error.message);
}
