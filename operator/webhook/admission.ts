// AdmissionReview v1, from request to response: who is asked about what, and how an answer is written. A bug is an answer, too:
// a refusal that says whose it is and where to look.

import type { V1Pod } from '@kubernetes/client-node';
import * as z from 'zod';
import { parseNamespace } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';
import type { Workload } from '../../kube/workload.ts';
import { decidePod, type Surroundings, workloadMistakes } from './decide.ts';
import { jsonDiff } from './json-patch.ts';
import { copyAnnotations } from './workload.ts';

const MESSAGE_CHARACTERS_MAX = 4096;
const NAME_CHARACTERS_MAX = 253;

const reviewSchema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    // A UUID, which is said back and logged.
    uid: z.string().min(1).max(64),
    kind: z.object({ kind: z.string() }),
    name: z.string().optional(),
    namespace: z.string().transform((text, context) => {
      const namespace = parseNamespace(text);
      if (namespace.ok) return namespace.value;
      context.addIssue(namespace.error);
      return z.NEVER;
    }),
    dryRun: z.boolean().optional(),
    // The API server has read and converted them: their shape is that of their kind.
    object: z.looseObject({}),
    oldObject: z.looseObject({}).nullish(),
  }),
});

export type AdmissionRequest = z.output<typeof reviewSchema>['request'];

/** What was decided, before it is written as a response. */
export type Decision =
  | { readonly kind: 'patched'; readonly patch: readonly object[]; readonly warnings: readonly string[] }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

export type Judge = (request: AdmissionRequest, around: Surroundings) => Decision;

export function readReview(body: unknown): Result<AdmissionRequest> {
  const parsed = reviewSchema.safeParse(body);
  if (parsed.success) return ok(parsed.data.request);
  const mistakes = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return err(`not an AdmissionReview of admission.k8s.io/v1 for an object in a namespace: ${mistakes.join('; ')}`);
}

export const judgePod: Judge = (request, around) => {
  const pod = request.object as V1Pod;
  const decided = decidePod(pod, request.namespace, around);
  return decided.ok
    ? changed(request.object, decided.value.pod, decided.value.warnings)
    : refused(request, decided.error);
};

export const judgeWorkload: Judge = (request) => {
  const workload = request.object as Workload;
  return changed(request.object, copyAnnotations(workload, (request.oldObject ?? undefined) as Workload | undefined));
};

export const judgeAnnotations: Judge = (request, around) => {
  const mistakes = workloadMistakes(request.object as Workload, request.namespace, around);
  return mistakes.length === 0 ? { kind: 'unchanged' } : refused(request, mistakes);
};

function changed(before: unknown, after: unknown, warnings: readonly string[] = []): Decision {
  const patch = jsonDiff(before, after);
  return patch.length === 0 && warnings.length === 0 ? { kind: 'unchanged' } : { kind: 'patched', patch, warnings };
}

function refused(request: AdmissionRequest, mistakes: readonly string[]): Decision {
  const message = `Invoke refuses ${nameOf(request)}: ${mistakes.join('; ')}`;
  return { kind: 'refused', message: excerpt(message, MESSAGE_CHARACTERS_MAX) };
}

export function bugIn(request: AdmissionRequest): Decision {
  const message =
    `Invoke could not judge ${nameOf(request)}, because of a bug of its own: the log of invoke-operator has the details ` +
    `beside "${request.uid}"; please report them`;
  return { kind: 'failed', message };
}

export function notYet(request: AdmissionRequest, lacking: string): Decision {
  return { kind: 'failed', message: `Invoke cannot judge ${nameOf(request)} yet: ${lacking}; try again in a moment` };
}

/** `pod "web-…" in namespace "shop"`: with generateName there is no whole name yet. */
export function nameOf({ kind, name, namespace, object }: AdmissionRequest): string {
  const metadata = z
    .object({ name: z.string().optional(), generateName: z.string().optional() })
    .safeParse(object.metadata);
  const given = name || metadata.data?.name || (metadata.data?.generateName && `${metadata.data.generateName}…`);
  const quoted = given ? `"${excerpt(given, NAME_CHARACTERS_MAX)}" ` : '';
  return `${excerpt(kind.kind.toLowerCase())} ${quoted}in namespace "${namespace}"`;
}

export function response(uid: string, decision: Decision): object {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...verdict(decision) } };
}

function verdict(decision: Decision): object {
  switch (decision.kind) {
    case 'unchanged':
      return { allowed: true };
    case 'patched':
      return { allowed: true, ...patchOf(decision.patch), ...warningsOf(decision.warnings) };
    case 'refused':
      return { allowed: false, status: { code: 403, message: decision.message } };
    case 'failed':
      return { allowed: false, status: { code: 500, message: decision.message } };
  }
}

function patchOf(patch: readonly object[]): object {
  if (patch.length === 0) return {};
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
}

function warningsOf(warnings: readonly string[]): object {
  return warnings.length === 0 ? {} : { warnings: warnings.map((warning) => `Invoke: ${warning}`) };
}

/** With a further warning, whatever it was. */
export function warned(decision: Decision, warning: string): Decision {
  if (decision.kind === 'refused' || decision.kind === 'failed') return decision;
  const { patch, warnings } = decision.kind === 'patched' ? decision : { patch: [], warnings: [] };
  return { kind: 'patched', patch, warnings: [...warnings, warning] };
}
