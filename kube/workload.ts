// The kinds of objects that make pods, seen alike: all of them have a pod template, and that is what matters here.
import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import { CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, type Kind, type KubernetesObject, STATEFUL_SETS } from './types.ts';

/** What Deployment, StatefulSet, DaemonSet, Job and CronJob have in common, as far as anybody looks at it. */
export interface Workload extends KubernetesObject {
  readonly spec?:
    | {
        readonly template?: V1PodTemplateSpec | undefined;
        /** Of a CronJob. */
        readonly jobTemplate?:
          | { readonly spec?: { readonly template?: V1PodTemplateSpec | undefined } | undefined }
          | undefined;
      }
    | undefined;
  readonly status?:
    | {
        readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined;
        /** Nobody reads it: the compiler wants a field that a CronJob's status has, which has no conditions. */
        readonly active?: unknown;
      }
    | undefined;
}

export const WORKLOAD_KINDS: readonly Kind<Workload>[] = [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, CRON_JOBS];

/** From which its pods are made. */
export function templateOf({ spec }: Workload): V1PodTemplateSpec | undefined {
  return spec?.jobTemplate?.spec?.template ?? spec?.template;
}
