// What the operator has to say of each of our resources: whether it makes sense, and what of it this version does not act on.
// An object that promises what nobody keeps says so in its own status.
import { type AccessPolicy, readAccessPolicy } from '../../api/resources/access-policy.ts';
import { type HttpEndpointResource, readHttpEndpointSpec } from '../../api/resources/http-endpoint.ts';
import {
  type NamespacePolicy,
  type NamespacePolicySpec,
  readNamespacePolicy,
} from '../../api/resources/namespace-policy.ts';
import { type Resiliency, readResiliency } from '../../api/resources/resiliency.ts';
import type { Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';
import { type Conflict, conflictMessage } from '../../policy/resiliency/settle.ts';
import type { Verdict } from './conditions.ts';

export function judgeAccessPolicy({ spec }: AccessPolicy): Verdict {
  return { refusal: invalid(readAccessPolicy(spec)), unenforced: undefined };
}

/** `conflict`: with an older one. */
export function judgeResiliency({ spec }: Resiliency, conflict: Conflict | undefined): Verdict {
  return { refusal: invalid(readResiliency(spec)) ?? conflicting(conflict), unenforced: undefined };
}

export function judgeHttpEndpoint({ spec }: HttpEndpointResource): Verdict {
  return { refusal: invalid(readHttpEndpointSpec(spec)), unenforced: undefined };
}

export function judgeNamespacePolicy(
  { metadata, spec }: NamespacePolicy,
  isNamespace: (name: string) => boolean,
): Verdict {
  return {
    refusal: invalid(readNamespacePolicy(spec)) ?? (isNamespace(metadata.name) ? undefined : homeless(metadata.name)),
    unenforced: unenforcedOf(spec),
  };
}

/** A status is no place for a list of hundreds. */
const MESSAGE_CHARACTERS_MAX = 2000;

function invalid(read: Result<unknown, readonly string[]>): Verdict['refusal'] {
  if (read.ok) return undefined;
  return { reason: 'Invalid', message: excerpt(read.error.join('; '), MESSAGE_CHARACTERS_MAX) };
}

function conflicting(conflict: Conflict | undefined): Verdict['refusal'] {
  if (conflict === undefined) return undefined;
  return { reason: 'Conflicting', message: excerpt(conflictMessage(conflict), MESSAGE_CHARACTERS_MAX) };
}

function homeless(name: string): Verdict['refusal'] {
  const message =
    `there is no namespace "${name}": a NamespacePolicy has the name of the namespace that it is about; ` +
    'create the namespace, or the policy under another name';
  return { reason: 'NoSuchNamespace', message };
}

/** The others work. */
const UNENFORCED = ['traceSampling'] as const;

function unenforcedOf(spec: NamespacePolicySpec): string | undefined {
  const fields = UNENFORCED.filter((field) => spec[field] !== undefined);
  if (fields.length === 0) return undefined;
  return `this version of Invoke does not act on ${fields.join(', ')} yet; the rest is in effect`;
}
