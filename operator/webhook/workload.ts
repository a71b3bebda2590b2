// Copies `invoke.io/*` from a workload's own annotations to its pod template, so that `kubectl annotate deployment` is enough.
// A marker on the template says what was copied: when an annotation is taken away, its copy goes, too. What stands on the
// template in its own right wins, and stays.
import type { V1OwnerReference, V1PodTemplateSpec } from '@kubernetes/client-node';
import { COPIED_KEY, GROUP } from '../../api/pod.ts';
import { templateOf, type Workload } from '../../kube/workload.ts';

type Annotations = Readonly<Record<string, string>>;

const SEPARATOR = ',';

/** The workload as it should be; the same object when there is nothing to do. `before` is what an update replaces. */
export function copyAnnotations(workload: Workload, before?: Workload): Workload {
  if (isLeftAlone(workload)) return workload;
  const own = workload.metadata?.annotations ?? {};
  const template = templateAnnotations(workload);
  const wanted = wantedAnnotations(own, template, before && templateAnnotations(before));
  return isEqual(template, wanted) ? workload : withTemplateAnnotations(workload, wanted);
}

/** What a controller keeps follows from its owner; what is being deleted must never wait for us. */
export function isLeftAlone({ metadata }: Workload): boolean {
  const owners: readonly V1OwnerReference[] = metadata?.ownerReferences ?? [];
  return metadata?.deletionTimestamp !== undefined || owners.some(({ controller }) => controller === true);
}

export function templateAnnotations(workload: Workload): Annotations {
  return templateOf(workload)?.metadata?.annotations ?? {};
}

function wantedAnnotations(own: Annotations, template: Annotations, before: Annotations | undefined): Annotations {
  const copied = new Set(copiedKeys(template).filter((key) => !isTakenOver(key, own, template, before)));
  const kept = Object.entries(template).filter(([key]) => key !== COPIED_KEY && !copied.has(key));
  const names = new Set(kept.map(([key]) => key));
  const copies = Object.entries(own).filter(([key]) => isOurs(key) && !names.has(key));
  const marker = copies.map(([key]) => key).sort();
  return Object.fromEntries([
    ...kept,
    ...copies,
    ...(marker.length === 0 ? [] : [[COPIED_KEY, marker.join(SEPARATOR)] as const]),
  ]);
}

/** Somebody has just written another value over our copy: from now on it is the template's own. */
function isTakenOver(key: string, own: Annotations, template: Annotations, before: Annotations | undefined): boolean {
  const value = template[key];
  if (value === undefined || value === own[key] || before === undefined) return false;
  return copiedKeys(before).includes(key) && before[key] !== value;
}

function copiedKeys(template: Annotations): readonly string[] {
  return (template[COPIED_KEY] ?? '').split(SEPARATOR).filter(isOurs);
}

function isOurs(key: string): boolean {
  return key.startsWith(`${GROUP}/`) && key !== COPIED_KEY;
}

function withTemplateAnnotations(workload: Workload, annotations: Annotations): Workload {
  const { spec } = workload;
  const { jobTemplate } = spec ?? {};
  const template = annotated(templateOf(workload), annotations);
  if (jobTemplate === undefined) return { ...workload, spec: { ...spec, template } };
  const job = { ...jobTemplate, spec: { ...jobTemplate.spec, template } };
  return { ...workload, spec: { ...spec, jobTemplate: job } };
}

/** Without annotations there is no map of them: an empty one would be a difference to what the user wrote. */
function annotated(template: V1PodTemplateSpec | undefined, annotations: Annotations): V1PodTemplateSpec {
  const { annotations: _, ...metadata } = template?.metadata ?? {};
  const isEmpty = Object.keys(annotations).length === 0;
  return { ...template, metadata: { ...metadata, ...(!isEmpty && { annotations: { ...annotations } }) } };
}

function isEqual(a: Annotations, b: Annotations): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => a[key] === b[key]);
}
