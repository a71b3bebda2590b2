// What is generated is what its sources say; and the examples in the documentation are good ones.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { customResourceDefinition, RESOURCE_KINDS } from '../../api/resources/crd.ts';
import { GENERATED } from './all.ts';
import { CHART_CRDS_PATH } from './crds.ts';
import { RESOURCE_EXAMPLES } from './resource-examples.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('is as its source says; if not, `npm run generate` makes it so', () => {
  test.each(GENERATED.map((file) => [file.path, file] as const))('%s', (path, { text }) => {
    expect(read(path)).toBe(text());
  });
});

test('every kind has an example, which is a good one of its kind', () => {
  for (const { kind, spec } of RESOURCE_KINDS) {
    const example = load(RESOURCE_EXAMPLES[kind] ?? '');
    expect(example).toMatchObject({ apiVersion: 'invoke.io/v1alpha1', kind });
    expect(spec.safeParse(fieldOf(example, 'spec')).error).toBeUndefined();
  }
});

test("the chart's definitions are kubectl's, but for what Helm is told of them", () => {
  const told = /^ *\{\{-.*\}\}\n|^ {2}(labels|annotations):\n|^ {4}helm\.sh\/resource-policy: keep\n/gm;
  const plain = read(CHART_CRDS_PATH).replaceAll(told, '').replaceAll('{{ "{{" }}', '{{');
  const documents = plain.split(/^---\n/m).filter((text) => text.trim() !== '');
  expect(documents.map((text) => load(text))).toEqual(RESOURCE_KINDS.map(customResourceDefinition));
});

function fieldOf(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null
    ? Object.entries(object).find(([key]) => key === name)?.[1]
    : undefined;
}
