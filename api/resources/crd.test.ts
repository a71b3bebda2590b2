// What holds for the schema of every kind: it explains itself, it is bounded, and the API server can take it.
import { describe, expect, test } from 'vitest';
import { customResourceDefinition, RESOURCE_KINDS, wholeSchema } from './crd.ts';
import type { StructuralSchema } from './structural.ts';

/** Those that a structural schema may have and that ours come to. */
const KEYWORDS = [
  ...['type', 'description', 'properties', 'additionalProperties', 'items', 'required', 'default', 'enum', 'format'],
  ...['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'maxProperties', 'pattern', 'anyOf'],
  ...['x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-int-or-string'],
];

interface Node {
  readonly way: string;
  readonly schema: StructuralSchema;
}

function nodes(schema: StructuralSchema, way = ''): Node[] {
  const { properties = {}, items, additionalProperties } = schema;
  return [
    { way, schema },
    ...Object.entries(properties).flatMap(([name, field]) => nodes(field, `${way}.${name}`)),
    ...(items ? nodes(items, `${way}[]`) : []),
    ...(additionalProperties ? nodes(additionalProperties, `${way}{}`) : []),
  ];
}

/** The API server knows these by itself. */
const STANDARD = ['.apiVersion', '.kind', '.metadata'];

describe.each(RESOURCE_KINDS.map((kind) => [kind.kind, kind] as const))('the schema of %s', (_name, kind) => {
  const all = nodes(wholeSchema(kind));
  const own = all.filter(({ way }) => !STANDARD.includes(way));
  const without = (what: Node[], holds: (schema: StructuralSchema) => boolean) =>
    what.filter(({ schema }) => !holds(schema)).map(({ way }) => way);
  const typed = (type: string) => own.filter(({ schema }) => schema.type === type);

  test('describes every field in sentences', () => {
    const described = all.filter(({ way }) => way !== '.metadata');
    expect(without(described, ({ description }) => /^[A-Z].*[.]$/s.test(description ?? ''))).toEqual([]);
  });

  test('bounds every text, list, map and number', () => {
    expect(without(typed('string'), ({ maxLength, enum: words }) => (maxLength ?? words) !== undefined)).toEqual([]);
    expect(without(typed('array'), ({ maxItems }) => maxItems !== undefined)).toEqual([]);
    const maps = own.filter(({ schema }) => schema.additionalProperties !== undefined);
    expect(without(maps, ({ maxProperties }) => maxProperties !== undefined)).toEqual([]);
    const numbers = typed('integer').filter(({ schema }) => schema.format !== 'int64');
    expect(without(numbers, ({ minimum, maximum }) => Number(maximum) - Number(minimum) < 2 ** 31)).toEqual([]);
  });

  test('says of every list how two changes of it are merged', () => {
    expect(without(typed('array'), (schema) => schema['x-kubernetes-list-type'] !== undefined)).toEqual([]);
  });

  test('has a sentence without line ends for every rule', () => {
    const rules = all.flatMap(({ schema }) => rulesOf(schema));
    expect(rules).not.toEqual([]);
    expect(rules.filter(({ message }) => !/^[^\n]{10,}$/.test(message))).toEqual([]);
  });

  test('has no keyword that a structural schema may not have', () => {
    expect(without(all, (schema) => Object.keys(schema).every((keyword) => KEYWORDS.includes(keyword)))).toEqual([]);
    expect(without(all, ({ properties, additionalProperties }) => !(properties && additionalProperties))).toEqual([]);
  });

  test('gives nothing by default that its own rules refuse', () => {
    const { spec } = wholeSchema(kind).properties ?? {};
    // An endpoint is nothing without its URL; all else has a default.
    const least = kind.kind === 'HTTPEndpoint' ? { baseUrl: 'https://bank.example' } : {};
    expect(kind.spec.safeParse(least).success).toBe(true);
    expect(spec?.required ?? []).toEqual(Object.keys(least));
  });
});

test('an object without a spec is refused, not taken for an empty one', () => {
  for (const kind of RESOURCE_KINDS) expect(wholeSchema(kind).required).toEqual(['spec']);
});

test('the kinds are found together, by short names, and have a status of their own', () => {
  const definitions = RESOURCE_KINDS.map(customResourceDefinition);
  expect(definitions.map(({ metadata }) => metadata.name)).toEqual([
    'accesspolicies.invoke.io',
    'resiliencies.invoke.io',
    'namespacepolicies.invoke.io',
    'httpendpoints.invoke.io',
  ]);
  expect(definitions.flatMap(({ spec }) => spec.names.shortNames)).toEqual(['iap', 'ires', 'inp', 'ihep']);
  expect(new Set(definitions.flatMap(({ spec }) => spec.names.categories))).toEqual(new Set(['invoke']));
  expect(definitions.map(({ spec }) => spec.versions[0]?.subresources)).toEqual([
    { status: {} },
    { status: {} },
    { status: {} },
    { status: {} },
  ]);
});

test('kubectl get shows whether each is accepted, and since when it is there', () => {
  for (const { spec } of RESOURCE_KINDS.map(customResourceDefinition)) {
    const shown = spec.versions[0]?.additionalPrinterColumns ?? [];
    expect(shown.filter(({ priority }) => priority !== 1).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Accepted', 'Age']),
    );
  }
});

function rulesOf(schema: StructuralSchema): readonly { readonly message: string }[] {
  const rules = schema['x-kubernetes-validations'];
  return Array.isArray(rules) ? rules : [];
}
