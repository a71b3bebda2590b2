// Reading a spec that somebody wrote: its value with defaults filled in, or what is wrong with it, a sentence each.
import type * as z from 'zod';
import { err, ok, type Result } from '../../kit/result.ts';

export function readSpec<Spec>(schema: z.ZodType<Spec>, spec: unknown): Result<Spec, readonly string[]> {
  const parsed = schema.safeParse(spec);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map(({ path, message }) => `${place(path)}: ${message}`));
}

/** As the API server writes it: `spec.rules[0].from[1].app`. */
function place(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (way, step) => (typeof step === 'number' ? `${way}[${step}]` : `${way}.${String(step)}`),
    'spec',
  );
}
