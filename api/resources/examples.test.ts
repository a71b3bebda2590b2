// What our own reading says of the examples; that the API server says the same is shown by applying them to one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAccessPolicy } from './access-policy.ts';
import { RESOURCE_KINDS } from './crd.ts';
import { readHttpEndpointSpec } from './http-endpoint.ts';
import { readNamespacePolicy } from './namespace-policy.ts';
import { readResiliency } from './resiliency.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';
import { BAD_EXAMPLES, type ExampleObject, GOOD_EXAMPLES, LATE_EXAMPLES } from './testing/examples.ts';

const READERS = {
  AccessPolicy: readAccessPolicy,
  Resiliency: readResiliency,
  NamespacePolicy: readNamespacePolicy,
  HTTPEndpoint: readHttpEndpointSpec,
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
      'spec.rules[0].to[0].methods[1]: "put": write methods in upper case, such as GET, and of HTTP: sidecars pass on no others; leave methods out for all of them',
    ],
  });
});

test('our own reading fills in the same defaults as the API server', () => {
  for (const { object } of GOOD_EXAMPLES) {
    expect(read(object)).toEqual({ ok: true, value: defaulted(schemaOf(object.kind), object.spec) });
  }
});

test('every rule is broken by a bad example', () => {
  const told = BAD_EXAMPLES.map(({ object }) => mistakes(object)).join('\n');
  for (const { kind } of RESOURCE_KINDS) {
    expect(messages(schemaOf(kind)).filter((message) => !told.includes(message))).toEqual([]);
  }
});

test('the good examples speak of every field', () => {
  for (const { kind } of RESOURCE_KINDS) {
    const specs = GOOD_EXAMPLES.filter(({ object }) => object.kind === kind).map(({ object }) => object.spec);
    const missing = fields(schemaOf(kind)).filter((way) => !specs.some((spec) => speaksOf(spec, way)));
    expect(missing.map((way) => way.join('.'))).toEqual([]);
  }
});

test('whatever is written can be read, and reading it once more changes nothing', () => {
  for (const [kind, reader] of Object.entries(READERS)) {
    fc.assert(
      fc.property(mutations(kind), (spec) => {
        const once = reader(spec);
        if (once.ok) expect(reader(once.value)).toEqual(once);
        else expect(once.error).not.toEqual([]);
      }),
      { numRuns: 300 },
    );
  }
});

test('names that JavaScript knows by itself are names like any other', () => {
  const spec = (timeout: string) => ({ policies: { timeouts: {} }, targets: { apps: { orders: { timeout } } } });
  for (const name of ['constructor', 'toString', '__proto__']) expect(readResiliency(spec(name)).ok).toBe(false);
  const polluted = readResiliency(JSON.parse('{"policies":{"timeouts":{"__proto__":{"trip":"x"}}}}'));
  expect(Reflect.get({}, 'trip')).toBeUndefined();
  expect(polluted.ok && Object.keys(polluted.value.policies.timeouts)).not.toContain('trip');
});

/** A good example in which any one value is another. */
function mutations(kind: string): fc.Arbitrary<unknown> {
  const good = GOOD_EXAMPLES.filter(({ object }) => object.kind === kind).map(({ object }) => object.spec);
  return fc
    .tuple(fc.constantFrom(...good), fc.nat(), fc.jsonValue())
    .map(([spec, at, other]) => withOther(spec, { left: at % 60, other }));
}

function withOther(value: unknown, place: { left: number; readonly other: unknown }): unknown {
  if (place.left-- === 0) return place.other;
  if (Array.isArray(value)) return value.map((item) => withOther(item, place));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withOther(field, place)]));
}

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

function messages({ properties = {}, additionalProperties, items, ...rest }: StructuralSchema): string[] {
  const rules = rest['x-kubernetes-validations'];
  const below = [...Object.values(properties), additionalProperties, items].flatMap((part) =>
    part ? messages(part) : [],
  );
  return [...(Array.isArray(rules) ? rules.map(({ message }) => String(message)) : []), ...below];
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
