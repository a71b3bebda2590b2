// What our own reading says of the examples; that the API server says the same is shown by applying them to one.
import { describe, expect, test } from 'vitest';
import { readAccessPolicy } from './access-policy.ts';
import { RESOURCE_KINDS } from './crd.ts';
import { readNamespacePolicy } from './namespace-policy.ts';
import { readResiliency } from './resiliency.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';
import { BAD_EXAMPLES, type ExampleObject, GOOD_EXAMPLES, LATE_EXAMPLES } from './testing/examples.ts';

const READERS = {
  AccessPolicy: readAccessPolicy,
  Resiliency: readResiliency,
  NamespacePolicy: readNamespacePolicy,
};

function read({ kind, spec }: ExampleObject) {
  const found = Object.entries(READERS).find(([known]) => known === kind);
  if (found === undefined) throw new Error(`nobody reads a ${kind}`);
  return found[1](spec);
}

function mistakes(object: ExampleObject): string {
  const spec = read(object);
  return spec.ok ? '' : spec.error.join('\n');
}

function schemaOf(kind: string): StructuralSchema {
  const found = RESOURCE_KINDS.find((resource) => resource.kind === kind);
  if (found === undefined) throw new Error(`there is no kind ${kind}`);
  return structuralSchema(found.spec);
}

describe('is taken', () => {
  test.each(GOOD_EXAMPLES.map(({ says, object }) => [says, object] as const))('%s', (_says, object) => {
    expect(mistakes(object)).toBe('');
  });
});

describe('is refused', () => {
  const seen = BAD_EXAMPLES.filter(({ ours }) => ours !== null);
  test.each(seen.map((example) => [example.says, example] as const))('%s', (_says, { object, refusal, ours }) => {
    expect(mistakes(object)).toContain(ours ?? refusal);
  });
});

describe('is found to be wrong after it got in', () => {
  test.each(LATE_EXAMPLES.map((example) => [example.says, example] as const))('%s', (_says, { object, mistake }) => {
    expect(mistakes(object)).toContain(mistake);
  });
});

test('a mistake is told with its place and its value', () => {
  const spec = readAccessPolicy({ rules: [{ name: 'a', to: [{ methods: ['GET', 'put'] }] }] });
  expect(spec).toEqual({
    ok: false,
    error: [
      'spec.rules[0].to[0].methods[1]: "put": write methods in upper case, such as GET; leave methods out for all of them',
    ],
  });
});

test('our own reading fills in the same defaults as the API server', () => {
  for (const { object } of GOOD_EXAMPLES) {
    expect(read(object)).toEqual({ ok: true, value: defaulted(schemaOf(object.kind), object.spec) });
  }
});

test('the good examples speak of every field', () => {
  for (const { kind } of RESOURCE_KINDS) {
    const specs = GOOD_EXAMPLES.filter(({ object }) => object.kind === kind).map(({ object }) => object.spec);
    const missing = fields(schemaOf(kind)).filter((way) => !specs.some((spec) => speaksOf(spec, way)));
    expect(missing.map((way) => way.join('.'))).toEqual([]);
  }
});

/** As the API server does it: what is missing comes from `default`, and then its own fields in turn. */
function defaulted(schema: StructuralSchema, value: unknown): unknown {
  const { properties, additionalProperties, items } = schema;
  if (Array.isArray(value)) return items ? value.map((item) => defaulted(items, item)) : value;
  if (typeof value !== 'object' || value === null) return value;
  const missing = Object.entries(properties ?? {}).filter(
    ([name, { default: initial }]) => initial !== undefined && !(name in value),
  );
  const whole = { ...value, ...Object.fromEntries(missing.map(([name, { default: initial }]) => [name, initial])) };
  return Object.fromEntries(
    Object.entries(whole).map(([name, field]) => [
      name,
      defaulted(properties?.[name] ?? additionalProperties ?? {}, field),
    ]),
  );
}

/** The way to each field; `*` stands for every item of a list and every entry of a map. */
function fields({ properties = {}, additionalProperties, items }: StructuralSchema): string[][] {
  const inner = additionalProperties ?? items;
  const below = inner === undefined ? [] : fields(inner).map((way) => ['*', ...way]);
  return [
    ...below,
    ...Object.entries(properties).flatMap(([name, field]) => [[name], ...fields(field).map((way) => [name, ...way])]),
  ];
}

function speaksOf(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const next = Object.entries(value).filter(([name]) => step === '*' || step === name);
  return next.some(([, field]) => speaksOf(field, rest));
}
