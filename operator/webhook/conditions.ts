// When the API server calls our webhooks, and how: the chart renders exactly this (a test of the chart compares them).
//
// Whom a condition lets through depends on us, because `failurePolicy` is Fail: an annotated pod must not run bare. So the
// conditions are narrow, and every expression is total: one that fails under Fail rejects strangers. `?` and `orValue` see
// to that; `[x].exists(name, …)` is how one binds a name where there are no variables.
import { APP_ID_KEY, COPIED_KEY, GROUP } from '../../api/pod.ts';

export interface MatchCondition {
  readonly name: string;
  /** CEL (Kubernetes 1.30). */
  readonly expression: string;
}

export interface WebhookRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE')[];
  readonly resources: readonly string[];
}

/** An entry of a webhook configuration, less the client configuration. */
export interface WebhookEntry {
  readonly name: string;
  readonly path: string;
  readonly rules: readonly WebhookRule[];
  readonly matchConditions: readonly MatchCondition[];
  readonly failurePolicy: 'Fail';
  readonly matchPolicy: 'Equivalent';
  readonly sideEffects: 'None' | 'NoneOnDryRun';
  readonly timeoutSeconds: number;
  readonly admissionReviewVersions: readonly ['v1'];
}

export interface MutatingEntry extends WebhookEntry {
  readonly reinvocationPolicy: 'IfNeeded' | 'Never';
}

/** By the kubelet, for a pod from a file: admission cannot change the pod that runs. */
export const MIRROR_KEY = 'kubernetes.io/config.mirror';

const own = 'object.?metadata.?annotations.orValue({})';

/** Of a Deployment and its like, or of a CronJob. */
function templateOf(object: 'object' | 'oldObject'): string {
  const below = '?metadata.?annotations';
  return (
    `${object}.?spec.?jobTemplate.?spec.?template.${below}` + `.or(${object}.?spec.?template.${below}).orValue({})`
  );
}

/** Garbage collection never waits for us. */
const notDeleted: MatchCondition = {
  name: 'not-deleted',
  expression: '!has(object.metadata.deletionTimestamp)',
};

/** What a controller keeps follows from what its owner says. */
const notControlled: MatchCondition = {
  name: 'not-controlled',
  expression: '!object.?metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))',
};

const POD_CONDITIONS: readonly MatchCondition[] = [
  { name: 'annotated', expression: `'${APP_ID_KEY}' in ${own}` },
  { name: 'not-mirror', expression: `!('${MIRROR_KEY}' in ${own})` },
  { name: 'not-windows', expression: "object.?spec.?os.?name.orValue('') != 'windows'" },
];

/** Called only while the template is not what workload.ts would make of it. */
const WORKLOAD_CONDITIONS: readonly MatchCondition[] = [
  notDeleted,
  notControlled,
  {
    name: 'to-be-copied',
    expression:
      `[${own}].exists(own, ` +
      `[${templateOf('object')}].exists(template, ` +
      `[template[?'${COPIED_KEY}'].orValue('').split(',')].exists(copied, ` +
      `own.exists(key, key.startsWith('${GROUP}/') && key != '${COPIED_KEY}' && ` +
      `(key in copied ? template[?key] != optional.of(own[key]) : !(key in template))) || ` +
      `copied.exists(key, key != '' && !(key in own)))))`,
  },
];

/** Called only where one of our annotations on the template is new, or another than before. */
const VALIDATION_CONDITIONS: readonly MatchCondition[] = [
  notDeleted,
  notControlled,
  {
    name: 'annotations-changed',
    expression:
      `[${templateOf('object')}].exists(now, ` +
      `[oldObject == null ? {} : ${templateOf('oldObject')}].exists(before, ` +
      `now.exists(key, key.startsWith('${GROUP}/') && before[?key] != optional.of(now[key])) || ` +
      `before.exists(key, key.startsWith('${GROUP}/') && !(key in now))))`,
  },
];

const WORKLOAD_RULES: readonly WebhookRule[] = [
  {
    apiGroups: ['apps'],
    apiVersions: ['v1'],
    operations: ['CREATE', 'UPDATE'],
    resources: ['deployments', 'statefulsets', 'daemonsets'],
  },
  { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['cronjobs'] },
  // The template of a Job that is there cannot be changed.
  { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] },
];

const COMMON = { failurePolicy: 'Fail', matchPolicy: 'Equivalent', admissionReviewVersions: ['v1'] } as const;

export const POD_WEBHOOK: MutatingEntry = {
  ...COMMON,
  name: `pods.${GROUP}`,
  path: '/mutate/pods',
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
  matchConditions: POD_CONDITIONS,
  // It makes sure of the trust bundle; not on a dry run.
  sideEffects: 'NoneOnDryRun',
  reinvocationPolicy: 'IfNeeded',
  timeoutSeconds: 10,
};

export const WORKLOAD_WEBHOOK: MutatingEntry = {
  ...COMMON,
  name: `workloads.${GROUP}`,
  path: '/mutate/workloads',
  rules: WORKLOAD_RULES,
  matchConditions: WORKLOAD_CONDITIONS,
  sideEffects: 'None',
  reinvocationPolicy: 'IfNeeded',
  timeoutSeconds: 10,
};

export const VALIDATION_WEBHOOK: WebhookEntry = {
  ...COMMON,
  name: `annotations.${GROUP}`,
  path: '/validate',
  rules: WORKLOAD_RULES,
  matchConditions: VALIDATION_CONDITIONS,
  sideEffects: 'None',
  timeoutSeconds: 10,
};

/** All that the chart's MutatingWebhookConfiguration and ValidatingWebhookConfiguration hold. */
export const MUTATING_ENTRIES: readonly MutatingEntry[] = [POD_WEBHOOK, WORKLOAD_WEBHOOK];
export const VALIDATING_ENTRIES: readonly WebhookEntry[] = [VALIDATION_WEBHOOK];
