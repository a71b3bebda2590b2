// The environment of a program, read by a table of variables. main.ts hands it in, and nothing past that reads it. Every mistake
// is told at once.
import { err, ok, type Result } from './result.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Variable<T = unknown> {
  readonly parse: (text: string) => Result<T>;
  /** What holds where it is not set; without it, it has to be. */
  readonly initially?: string;
}

export type Variables = Readonly<Record<string, Variable>>;

/** What each variable says. */
export type ValuesOf<V extends Variables> = {
  readonly [Name in keyof V]: V[Name] extends Variable<infer T> ? T : never;
};

/**
 * Or every mistake, one sentence each, with the variable's name; `whoSets` ends the one about a variable that is missing. A
 * variable that is set to nothing counts as not set.
 */
export function readEnvironment<const V extends Variables>(
  variables: V,
  environment: Environment,
  whoSets: string,
): Result<ValuesOf<V>, readonly string[]> {
  const values: Record<string, unknown> = {};
  const mistakes: string[] = [];
  for (const [name, { parse, initially }] of Object.entries<Variable>(variables)) {
    const text = environment[name] || initially;
    const value = text === undefined ? undefined : parse(text);
    if (value === undefined) mistakes.push(`${name} is not set; ${whoSets}`);
    else if (value.ok) values[name] = value.value;
    else mistakes.push(`${name} cannot be used: ${value.error}`);
  }
  return mistakes.length === 0 ? ok(values as ValuesOf<V>) : err(mistakes);
}

export function parseText(text: string): Result<string> {
  return ok(text);
}

/** Of a variable that may be left out, with `initially: ''`. */
export function parseOptional(text: string): Result<string | undefined> {
  return ok(text === '' ? undefined : text);
}
