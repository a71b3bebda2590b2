// docs/values.md: the chart's values with their meaning (values.schema.json) and their defaults (values.yaml).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import * as z from 'zod';

const CHART = join(import.meta.dirname, '../../charts/invoke');
export const VALUES_PATH = 'docs/values.md';

export interface ValueSchema {
  readonly description?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, ValueSchema>> | undefined;
}

const valueSchema: z.ZodType<ValueSchema> = z.lazy(() =>
  z.object({
    description: z.string().optional(),
    enum: z.array(z.string()).optional(),
    properties: z.record(z.string(), valueSchema).optional(),
  }),
);

/** One value that can be set: a leaf of the schema. */
export interface Value {
  /** As `--set` has it: `image.registry`. */
  readonly path: string;
  readonly schema: ValueSchema;
  /** What values.yaml says; undefined where it says nothing. */
  readonly byDefault: unknown;
}

/** In the schema's order. What only a parent chart sets is not among them. */
export function chartValues(): readonly Value[] {
  const schema = valueSchema.parse(JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')));
  const defaults = load(readFileSync(join(CHART, 'values.yaml'), 'utf8'));
  return leaves(schema, defaults, []).filter(({ path }) => path !== 'global');
}

function leaves(schema: ValueSchema, byDefault: unknown, path: readonly string[]): readonly Value[] {
  const { properties } = schema;
  if (properties === undefined) return [{ path: path.join('.'), schema, byDefault }];
  return Object.entries(properties).flatMap(([name, below]) =>
    leaves(below, fieldOf(byDefault, name), [...path, name]),
  );
}

function fieldOf(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null
    ? Object.entries(object).find(([key]) => key === name)?.[1]
    : undefined;
}

/** The text of docs/values.md. */
export function generateValues(): string {
  const rows = chartValues().map((value) => `| \`${value.path}\` | ${defaultCell(value)} | ${meaningCell(value)} |`);
  return `<!-- Generated from charts/invoke/values.schema.json and values.yaml by \`npm run generate\`. -->
# Values of the chart

Set them with \`--set image.registry=registry.example.com/team\`, or in a file for \`--values\`. Helm refuses a value that is not
here, or of another type, before it installs anything. [install.md](install.md) says how to begin.

| Value | Default | Meaning |
|---|---|---|
${rows.join('\n')}
`;
}

function defaultCell({ byDefault }: Value): string {
  const text = JSON.stringify(byDefault) ?? '';
  return `\`${escapePipes(text.replaceAll(/([:,])(?=["{[\d])/g, '$1 '))}\``;
}

function meaningCell({ schema }: Value): string {
  const choice = schema.enum === undefined ? '' : ` One of ${schema.enum.map((word) => `\`${word}\``).join(', ')}.`;
  return escapePipes(`${schema.description ?? ''}${choice}`);
}

function escapePipes(text: string): string {
  return text.replaceAll('|', '\\|');
}
