// What is wrong with a value that somebody wrote, in our words: what was written, and what can be written instead.
import type * as z from 'zod';
import { excerpt, nearest } from '../../kit/text.ts';

/** For `safeParse`. Undefined leaves it to zod. */
export const mistakeWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => noSuchField(key, fieldsOf(issue.inst))).join('; ');
  if (issue.code === 'invalid_value') return notOneOf(issue.input, issue.values.map(String));
  if (issue.code === 'invalid_type') return otherType(issue.input, issue.expected);
  return undefined;
};

function noSuchField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const instead = meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`;
  return `there is no field "${excerpt(key)}" here${known.length === 0 ? '' : `; ${instead}`}`;
}

/** The fields of the object that was expected. */
function fieldsOf(schema: z.core.$ZodRawIssue['inst']): readonly string[] {
  const definition = schema?._zod.def;
  return definition !== undefined && 'shape' in definition ? Object.keys(definition.shape ?? {}) : [];
}

function notOneOf(input: unknown, words: readonly string[]): string {
  if (isNothing(input)) return `it is missing; write one of ${words.join(', ')}`;
  return `${shown(input)} is none of ${words.join(', ')}`;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'fields and their values',
  record: 'names and their values',
};

function otherType(input: unknown, expected: string): string {
  const wanted = `write ${WORDS[expected] ?? expected}`;
  return isNothing(input) ? `it is missing; ${wanted}` : `${shown(input)} stands there; ${wanted}`;
}

/** YAML has null where nothing was written after the colon. */
function isNothing(input: unknown): boolean {
  return input === undefined || input === null;
}

function shown(input: unknown): string {
  return excerpt(JSON.stringify(input) ?? String(input));
}
