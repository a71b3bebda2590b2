// NamespacePolicy: what the platform team says of a namespace.
import * as z from 'zod';
import type { Resource } from './object.ts';

export const namespacePolicySpec = z.object({
  injection: z.object({ enabled: z.boolean().default(true) }).optional(),
  identities: z.array(z.object({ appId: z.string(), serviceAccounts: z.array(z.string()) })).optional(),
  allowedAnnotations: z.array(z.string()).optional(),
});

export type NamespacePolicySpec = z.output<typeof namespacePolicySpec>;
export type NamespacePolicy = Resource<NamespacePolicySpec>;

/** Whether the webhook may add sidecars in the namespace; so it is without a policy. */
export function isInjectionEnabled(policy: NamespacePolicy | undefined): boolean {
  return policy?.spec.injection?.enabled ?? true;
}

/** The sidecar's defaults in the namespace, as annotations without their prefix: `sidecar-cpu-request`, `log-level` … */
export function sidecarDefaults(_policy: NamespacePolicy | undefined): Readonly<Record<string, string>> {
  return {};
}

/** What is wrong with it, one sentence each; empty when it can be enforced. */
export function checkNamespacePolicy(_spec: NamespacePolicySpec): readonly string[] {
  return [];
}
