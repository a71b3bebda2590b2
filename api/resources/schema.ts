// The words in which our resources are written down: fields with a description, bounds and rules. Each is a zod schema, for
// the types and for our own programs, and carries as metadata what the API server has to know: CEL rules, list types.
//
// A rule is said twice, in CEL and in TypeScript, with one message; examples hold the two to each other.
import * as z from 'zod';
import { excerpt } from '../../kit/text.ts';

/** Keys of metadata that pass into the CRD's schema as they are. */
export const VALIDATIONS = 'x-kubernetes-validations';
const LIST_TYPE = 'x-kubernetes-list-type';
const LIST_MAP_KEYS = 'x-kubernetes-list-map-keys';
export const INT_OR_STRING = 'x-kubernetes-int-or-string';

export interface Rule<T> {
  /**
   * For the API server. Left out, or weaker than `holds`, where CEL cannot say it at a bounded cost: then an object that got in
   * says in its status what is wrong with it.
   */
  readonly cel?: string;
  readonly holds: (value: T) => boolean;
  /** What to write instead. */
  readonly message: string;
  /** What stands before the message: of which part of the value it is. */
  readonly about?: { readonly cel: string; readonly of: (value: T) => string };
}

/** The schema, with rules beside those that it has. */
export function ruled<S extends z.ZodType>(schema: S, ...rules: readonly Rule<z.output<S>>[]): S {
  const meta = schema.meta() ?? {};
  const before = Array.isArray(meta[VALIDATIONS]) ? meta[VALIDATIONS] : [];
  const all = [...before, ...rules.flatMap(validations)];
  return schema.check(...rules.map(check)).meta({ ...meta, ...(all.length > 0 && { [VALIDATIONS]: all }) });
}

function check<T>({ holds, message, about }: Rule<T>) {
  return z.check<T>(({ value, issues }) => {
    if (holds(value)) return;
    const whole = about === undefined ? message : `${about.of(value)}: ${message}`;
    issues.push({ code: 'custom', message: whole, input: value, path: [] });
  });
}

function validations<T>({ cel, message, about }: Rule<T>): readonly object[] {
  if (cel === undefined) return [];
  if (about === undefined) return [{ rule: cel, message }];
  return [{ rule: cel, message, messageExpression: `${about.cel} + ': ' + ${celText(message)}` }];
}

/** Without escapes, so that patterns can be read. */
export function celText(text: string): string {
  return text.includes("'") ? `r"${text}"` : `r'${text}'`;
}

/** A pattern that the whole string has to match, in the syntax that JavaScript and RE2 share. */
export function matching(pattern: RegExp, message: string): Rule<string> {
  const source = pattern.source.replaceAll('\\/', '/');
  return { cel: `self.matches(${celText(source)})`, holds: (text) => pattern.test(text), message };
}

/** What `oneOf` is, where a word of one's own says more than the API server's list of all of them. */
export function among(words: readonly string[], message: string): Rule<string> {
  return { cel: `self in [${words.map(celText).join(', ')}]`, holds: (text) => words.includes(text), message };
}

export function text(description: string, maxLength: number, ...rules: readonly Rule<string>[]) {
  const schema = z.string().max(maxLength).meta({ description });
  return ruled(schema, ...rules.map((rule) => ({ ...rule, about: ITSELF })));
}

/** The API server says where a wrong text is, but not what it is. */
const ITSELF = { cel: `'"' + self + '"'`, of: (value: string) => `"${excerpt(value)}"` };

export function integer(description: string, minimum: number, maximum: number) {
  return z.int().min(minimum).max(maximum).meta({ description });
}

export function yesOrNo(description: string) {
  return z.boolean().meta({ description });
}

export function oneOf<const Words extends readonly [string, ...string[]]>(description: string, words: Words) {
  return z.enum(words).meta({ description });
}

export function object<Shape extends z.ZodRawShape>(description: string, shape: Shape) {
  return z.strictObject(shape).meta({ description });
}

interface Length {
  readonly minItems?: number;
  readonly maxItems: number;
}

/** Server-side apply replaces such a list as a whole. */
export function list<Item extends z.ZodType>(description: string, item: Item, length: Length) {
  return items(item, length).meta({ description, [LIST_TYPE]: 'atomic' });
}

function items<Item extends z.ZodType>(item: Item, { minItems, maxItems }: Length) {
  const few = z.array(item).max(maxItems);
  return minItems === undefined ? few : few.min(minItems);
}

/** A list whose items are told apart by a field: the API server refuses two of a name, and merges by it. */
export function named<Item extends z.ZodType>(
  description: string,
  key: keyof z.output<Item> & string,
  item: Item,
  maxItems: number,
) {
  return z
    .array(item)
    .max(maxItems)
    .check(
      z.superRefine((items, context) =>
        reportTwins(
          items.map((each) => each[key]),
          context,
          key,
        ),
      ),
    )
    .meta({ description, [LIST_TYPE]: 'map', [LIST_MAP_KEYS]: [key] });
}

/** A list of different words. */
export function set<Item extends z.ZodType<string>>(description: string, item: Item, length: Length) {
  return items(item, length)
    .check(z.superRefine((words, context) => reportTwins(words, context)))
    .meta({ description, [LIST_TYPE]: 'set' });
}

/** Values by name. */
export function dictionary<Value extends z.ZodType>(
  description: string,
  value: Value,
  maxProperties: number,
  ...rules: readonly Rule<Record<string, unknown>>[]
) {
  const few = (entries: object) => Object.keys(entries).length <= maxProperties;
  const values = z.record(z.string(), value).refine(few, `at most ${maxProperties} entries`);
  return ruled(values.meta({ description, maxProperties }), ...rules);
}

interface Reports {
  addIssue(issue: { code: 'custom'; message: string; path: PropertyKey[] }): void;
}

function reportTwins(words: readonly unknown[], context: Reports, key?: string): void {
  for (const [at, word] of words.entries()) {
    if (words.indexOf(word) === at) continue;
    const message = `Duplicate value: ${JSON.stringify(word)} is there already`;
    context.addIssue({ code: 'custom', message, path: key === undefined ? [at] : [at, key] });
  }
}

/** What YAML writes as text or as a number, such as `cpu: 500m` and `cpu: 2`. */
export function textOrInteger(description: string, pattern: RegExp, message: string) {
  const schema = z.union([z.string().max(32), z.int().min(0)]).meta({ description, [INT_OR_STRING]: true });
  return ruled(schema, {
    cel: `string(self).matches(${celText(pattern.source)})`,
    holds: (value) => pattern.test(String(value)),
    message,
  });
}
