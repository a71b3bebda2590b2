// Reading a spec that somebody wrote: its value with defaults filled in, or what is wrong with it, a sentence each.
import type * as z from 'zod';
import { err, ok, type Result } from '../../kit/result.ts';
import { mistakeWords } from './mistake-words.ts';

export function readSpec<Spec>(schema: z.ZodType<Spec>, spec: unknown): Result<Spec, readonly string[]> {
  return readWritten(schema, spec, 'spec');
}

/** `root` is what the whole is called, or nothing. */
export function readWritten<T>(schema: z.ZodType<T>, written: unknown, root: string): Result<T, readonly string[]> {
  const parsed = schema.safeParse(written, { error: mistakeWords });
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map(({ path, message }) => [place(path, root), message].filter(Boolean).join(': ')));
}

/** As the API server writes it: `spec.rules[0].from[1].app`. */
function place(path: readonly PropertyKey[], root: string): string {
  return path.reduce<string>((way, step) => {
    if (typeof step === 'number') return `${way}[${step}]`;
    return way === '' ? String(step) : `${way}.${String(step)}`;
  }, root);
}
