// What becomes of a pod or a workload that is before us: changed, let through, or refused with every reason at once. Pure but
// for the policies, which are read as they are now.
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { type Annotations, annotationMistakes, readAnnotations, type SidecarSettings } from '../../api/annotations.ts';
import type { Namespace } from '../../api/ids.ts';
import { APP_ID_KEY } from '../../api/pod.ts';
import type { HttpEndpointResource } from '../../api/resources/http-endpoint.ts';
import { isInjectionEnabled, type NamespacePolicy, sidecarDefaults } from '../../api/resources/namespace-policy.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { templateOf, type Workload } from '../../kube/workload.ts';
import type { OperatorConfig } from '../config.ts';
import { endpointSecrets } from './endpoint-secrets.ts';
import { type Injected, injectSidecar, isMeshed } from './patch.ts';
import { isLeftAlone, templateAnnotations } from './workload.ts';

export interface Surroundings {
  readonly config: OperatorConfig;
  /** The one that is named as the namespace. */
  policyOf(namespace: Namespace): NamespacePolicy | undefined;
  /** All of the namespace. */
  endpointsOf(namespace: Namespace): readonly HttpEndpointResource[];
}

/** A pod that did not ask for a sidecar stays as it is. */
export function decidePod(pod: V1Pod, namespace: Namespace, around: Surroundings): Result<Injected, readonly string[]> {
  if (!isMeshed(pod)) return ok({ pod, warnings: [] });
  const policy = around.policyOf(namespace);
  const forbidden = whyNotHere(namespace, policy, around.config);
  if (forbidden !== undefined) return err([forbidden]);
  const settings = settingsFor(pod.metadata?.annotations ?? {}, namespace, policy, around.config);
  if (!settings.ok) return settings;
  const barred = whyNotAs(settings.value, pod.spec, policy);
  if (barred !== undefined) return err([barred]);
  const secrets = endpointSecrets(around.endpointsOf(namespace), settings.value.appId);
  return injectSidecar(pod, settings.value, namespace, around.config, secrets);
}

/** Empty: its pods would be admitted, as far as they are known now. */
export function workloadMistakes(workload: Workload, namespace: Namespace, around: Surroundings): readonly string[] {
  if (isLeftAlone(workload)) return [];
  const annotations = templateAnnotations(workload);
  if (annotations[APP_ID_KEY] === undefined) {
    return annotationMistakes(annotations, around.policyOf(namespace)?.spec.allowedAnnotations ?? []);
  }
  const { metadata, spec } = templateOf(workload) ?? {};
  const pod: V1Pod = { ...(metadata && { metadata }), ...(spec && { spec }) };
  const decided = decidePod(pod, namespace, around);
  return decided.ok ? [] : decided.error;
}

function settingsFor(
  annotations: Annotations,
  namespace: Namespace,
  policy: NamespacePolicy | undefined,
  config: OperatorConfig,
): Result<SidecarSettings, readonly string[]> {
  return readAnnotations(annotations, policy?.spec.allowedAnnotations ?? [], [
    { of: `the NamespacePolicy "${namespace}"`, values: sidecarDefaults(policy) },
    { of: 'the installation', values: config.sidecar.defaults },
  ]);
}

function whyNotHere(
  namespace: Namespace,
  policy: NamespacePolicy | undefined,
  config: OperatorConfig,
): string | undefined {
  if (namespace === config.namespace) {
    return `nothing can be meshed in "${namespace}", the namespace of Invoke itself; run it in another one`;
  }
  if (isInjectionEnabled(policy)) return undefined;
  return (
    `the NamespacePolicy "${namespace}" says injection.enabled: false, and without a sidecar the pod would be on its own: ` +
    `take ${APP_ID_KEY} away, or have the platform team allow it`
  );
}

/** The sentry would refuse a certificate, and the pod would wait for one for ever. */
function whyNotAs(
  { appId }: SidecarSettings,
  spec: V1PodSpec | undefined,
  policy: NamespacePolicy | undefined,
): string | undefined {
  const identity = policy?.spec.identities?.find((one) => one.appId === appId);
  const account = spec?.serviceAccountName ?? 'default';
  if (identity === undefined || identity.serviceAccounts.includes(account)) return undefined;
  const who = identity.serviceAccounts.map((name) => `"${name}"`).join(' or ');
  return (
    `the NamespacePolicy "${policy?.metadata.name ?? ''}" keeps the app id "${appId}" for ` +
    `${who === '' ? 'nobody' : `the ServiceAccount ${who}`}, and this one is "${account}": choose another app id, or have ` +
    'the platform team list it under identities'
  );
}
