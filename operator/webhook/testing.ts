// For tests of the webhooks: a configuration, pods and workloads, as they come from the API server.
import type { V1Pod } from '@kubernetes/client-node';
import { readAnnotations, type SidecarSettings } from '../../api/annotations.ts';
import { parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import type { Workload } from '../../kube/workload.ts';
import type { OperatorConfig } from '../config.ts';

export const SHOP = must(parseNamespace('shop'));
export const OWN = must(parseNamespace('invoke-system'));

export const CONFIG: OperatorConfig = {
  namespace: OWN,
  replica: 'invoke-operator-0',
  trustDomain: must(parseTrustDomain('cluster.local')),
  defaultAccess: 'allow',
  clusterDomain: 'cluster.local',
  mutatingWebhook: 'invoke',
  validatingWebhook: 'invoke',
  sidecar: { image: 'registry.example/invoke-sidecar:1', imagePullPolicy: 'IfNotPresent', defaults: {} },
  ports: { webhook: 0, feed: 0, health: 0, metrics: 0 },
  log: { level: 'info', format: 'text' },
  kubeconfig: undefined,
};

/** Keys without their prefix. */
export function ours(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`invoke.io/${key}`, value]));
}

export function settingsOf(values: Readonly<Record<string, string>> = {}): SidecarSettings {
  return must(readAnnotations(ours({ 'app-id': 'web', ...values }), []));
}

export function podOf(annotations: Readonly<Record<string, string>>, spec: Partial<V1Pod['spec']> = {}): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'web-', annotations: ours(annotations) },
    spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec },
  };
}

/** Annotations with their whole keys; undefined for no map of them. */
export function workloadOf(
  kind: 'Deployment' | 'CronJob',
  own: Record<string, string> | undefined,
  onTemplate: Record<string, string> | undefined,
): Workload {
  const template = {
    metadata: { labels: { app: 'web' }, ...(onTemplate && { annotations: onTemplate }) },
    spec: { containers: [{ name: 'app', image: 'app:1' }] },
  };
  return {
    apiVersion: kind === 'CronJob' ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name: 'web', ...(own && { annotations: own }) },
    spec: kind === 'CronJob' ? { jobTemplate: { spec: { template } } } : { template },
  };
}
