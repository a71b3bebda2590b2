// For tests of access: snapshots of the operator with policies in them.
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import type { ConfigResource, FeedConfig } from '../feed/feed.ts';
import { EMPTY_CONFIG } from '../testing/feed.ts';

export type Written = Partial<Omit<AccessPolicySpec, 'rules'>> & {
  readonly rules?: readonly (Partial<AccessPolicySpec['rules'][number]> & { readonly name: string })[];
};

export function policy(name: string, spec: Written | Readonly<Record<string, unknown>>): ConfigResource {
  return { kind: 'AccessPolicy', namespace: 'default', name, generation: 1, createdMs: 0, spec };
}

export function fence(
  spec: Partial<NamespacePolicySpec> | Readonly<Record<string, unknown>>,
  name = 'default',
): ConfigResource {
  return { kind: 'NamespacePolicy', namespace: '', name, generation: 1, createdMs: 0, spec };
}

/** What the operator says from now on. */
export function says(resources: readonly ConfigResource[], more: Partial<FeedConfig> = {}): FeedConfig {
  return { ...EMPTY_CONFIG, resources, ...more };
}
