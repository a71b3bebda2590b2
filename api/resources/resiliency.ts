// Resiliency: how calls survive what goes wrong.
import * as z from 'zod';
import type { Resource } from './object.ts';

export const resiliencySpec = z.object({});

export type ResiliencySpec = z.output<typeof resiliencySpec>;
export type Resiliency = Resource<ResiliencySpec>;

/** What is wrong with it, one sentence each; empty when it can be enforced. */
export function checkResiliency(_spec: ResiliencySpec): readonly string[] {
  return [];
}
