// Adds the sidecar to a pod: a function of the pod and its settings alone. Applied to its own result it changes nothing,
// since the API server calls again when somebody else has changed the pod after us.
import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { annotationKey, healthRemarks, type SidecarSettings } from '../../api/annotations.ts';
import type { SecretKey } from '../../api/http-endpoint.ts';
import type { Namespace } from '../../api/ids.ts';
import { APP_ID_KEY, SIDECAR_CONTAINER } from '../../api/pod.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { OperatorConfig } from '../config.ts';
import { probesBefore, rewriteProbes } from './app-probes.ts';
import { MIRROR_KEY } from './conditions.ts';
import { ENDPOINT_SECRETS_MAX } from './endpoint-secrets.ts';
import { ownSidecar, podMistakes } from './pod-checks.ts';
import { appEnvironment, sidecarContainer, sidecarVolumes, VOLUMES } from './sidecar-container.ts';

export interface Injected {
  readonly pod: V1Pod;
  /** What kubectl shows: nothing that stands in the way. */
  readonly warnings: readonly string[];
}

const TERMINATION_GRACE_SEC = 30;

/** As the conditions of the webhook have it, for whoever comes past them. */
export function isMeshed({ metadata, spec }: V1Pod): boolean {
  const annotations = metadata?.annotations ?? {};
  return annotations[APP_ID_KEY] !== undefined && annotations[MIRROR_KEY] === undefined && spec?.os?.name !== 'windows';
}

export function injectSidecar(
  pod: V1Pod,
  settings: SidecarSettings,
  namespace: Namespace,
  config: OperatorConfig,
  secrets: readonly SecretKey[] = [],
): Result<Injected, readonly string[]> {
  const mistakes = podMistakes(pod, settings);
  if (mistakes.length > 0) return err(mistakes);
  const { metadata, spec = { containers: [] } } = pod;
  // It is null where the user has named none; the API server says so, after us.
  const containers = spec.containers ?? [];
  const mounted = secrets.slice(0, ENDPOINT_SECRETS_MAX);
  const before = ownSidecar(spec);
  const known = probesBefore(before);
  const init = others(spec).map((container) => rewriteProbes(container, settings, known));
  const main = containers.map((container) => rewriteProbes(container, settings, known));
  const probes = [...init, ...main].flatMap((rewritten) => rewritten.probes);
  const sidecar = keeping(before, sidecarContainer(settings, namespace, config, { secrets: mounted, probes }));
  const volumes = sidecarVolumes(config, mounted);
  const ours: readonly string[] = Object.values(VOLUMES);
  const isOurs = (name: string) => ours.includes(name);
  const injected: V1Pod = {
    ...pod,
    metadata: { ...metadata, labels: { ...metadata?.labels, [APP_ID_KEY]: settings.appId } },
    spec: {
      ...spec,
      initContainers: [sidecar, ...init.map(({ container }) => told(container, settings))],
      containers: main.map(({ container }) => leaving(told(container, settings), settings, graceSecOf(spec))),
      volumes: [...(spec.volumes ?? []).filter(({ name }) => !isOurs(name)), ...volumes],
    },
  };
  return ok({
    pod: injected,
    warnings: [
      ...warningsFor(spec, settings),
      ...healthRemarks(metadata?.annotations ?? {}, settings),
      ...leftOut(secrets),
    ],
  });
}

function others(spec: V1PodSpec): readonly V1Container[] {
  return (spec.initContainers ?? []).filter(({ name }) => name !== SIDECAR_CONTAINER);
}

/**
 * On a second call: what a LimitRange and AlwaysPullImages have set since stays, because they look again at the end and
 * would refuse the pod.
 */
function keeping(before: V1Container | undefined, sidecar: V1Container): V1Container {
  const { resources, imagePullPolicy } = before ?? {};
  const requests = { ...resources?.requests, ...sidecar.resources?.requests };
  const limits = { ...resources?.limits, ...sidecar.resources?.limits };
  const kept = {
    ...(Object.keys(requests).length > 0 && { requests }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
  return {
    ...sidecar,
    ...(imagePullPolicy === 'Always' && { imagePullPolicy }),
    ...(Object.keys(kept).length > 0 && { resources: kept }),
  };
}

/** What the user has set holds. Ours stand first, so that the user's can refer to them: `$(INVOKE_HTTP_PORT)`. */
function told(container: V1Container, settings: SidecarSettings): V1Container {
  const own = container.env ?? [];
  const missing = appEnvironment(settings).filter(({ name }) => !own.some((variable) => variable.name === name));
  return missing.length === 0 ? container : { ...container, env: [...missing, ...own] };
}

/**
 * Kubernetes tells app and sidecar at once that the pod is to end, and an app that closes its port at once breaks calls that
 * are on their way to it. So the app hears of it a little later, by an action of the kubelet that takes no program in the
 * image (KEP-3960). A preStop of the user's own is left to the user.
 */
function leaving(container: V1Container, { appPort, appDrainSec }: SidecarSettings, graceSec: number): V1Container {
  const isAsked = appPort !== undefined && appDrainSec > 0;
  // The API server takes no sleep that is as long as the grace.
  if (!isAsked || appDrainSec >= graceSec || container.lifecycle?.preStop !== undefined) return container;
  return { ...container, lifecycle: { ...container.lifecycle, preStop: { sleep: { seconds: appDrainSec } } } };
}

function graceSecOf({ terminationGracePeriodSeconds = TERMINATION_GRACE_SEC }: V1PodSpec): number {
  return terminationGracePeriodSeconds;
}

function leftOut({ length }: readonly SecretKey[]): readonly string[] {
  if (length <= ENDPOINT_SECRETS_MAX) return [];
  return [
    `the HTTPEndpoints that the app may use name ${length} keys of Secrets, and ${ENDPOINT_SECRETS_MAX} are mounted: calls to some ` +
      'of them will fail; narrow their scopes',
  ];
}

function warningsFor(spec: V1PodSpec, settings: SidecarSettings): readonly string[] {
  const warnings: string[] = [];
  const graceSec = graceSecOf(spec);
  const shutdownSec = settings.gracefulShutdownMs / 1000;
  if (shutdownSec > graceSec) {
    warnings.push(
      `the sidecar would give calls in flight ${shutdownSec} s at the end (${annotationKey('gracefulShutdownMs')}), but the ` +
        `pod has ${graceSec} s in all (terminationGracePeriodSeconds): what is not over by then is cut off`,
    );
  }
  if (spec.hostNetwork === true && spec.dnsPolicy !== 'ClusterFirstWithHostNet') {
    warnings.push(
      "the pod uses the host's network and its name servers, which do not know the cluster's names: set dnsPolicy to " +
        'ClusterFirstWithHostNet, or the sidecar may not become ready',
    );
  }
  return warnings;
}
