// AccessPolicy: who may call an app, and what.
import * as z from 'zod';
import type { Resource } from './object.ts';

export const accessPolicySpec = z.object({});

export type AccessPolicySpec = z.output<typeof accessPolicySpec>;
export type AccessPolicy = Resource<AccessPolicySpec>;

/** What is wrong with it, one sentence each; empty when it can be enforced. */
export function checkAccessPolicy(_spec: AccessPolicySpec): readonly string[] {
  return [];
}
