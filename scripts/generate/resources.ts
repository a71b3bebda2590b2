// docs/resources.md: our four kinds with an example and every field, from their schemas.
import { RESOURCE_KINDS, type ResourceKind } from '../../api/resources/crd.ts';
import { INT_OR_STRING } from '../../api/resources/schema.ts';
import { type StructuralSchema, structuralSchema } from '../../api/resources/structural.ts';
import { RESOURCE_EXAMPLES } from './resource-examples.ts';

export const RESOURCES_PATH = 'docs/resources.md';

const PREFACE = `<!-- Generated from api/resources by \`npm run generate\`. -->
# Resources

Four kinds say how a mesh behaves, all of the group \`invoke.io/v1alpha1\`. \`kubectl explain accesspolicy.spec\` shows in a terminal
what stands here, and \`kubectl get invoke -A\` lists them all, with what the operator says of each:

- **Accepted** is \`False\` where an object cannot be used as it is. Nearly every mistake is refused by \`kubectl apply\` already; what
  is left, such as a path that no sidecar would spell that way, is found here. The reason and the message say what to change.
- **Programmed** is \`False\` where a part of the object has no effect, and its message says which. This version acts on
  all of them, but for \`traceSampling\` of a NamespacePolicy.

In the tables, \`[]\` is each item of a list and \`{}\` each entry of a map. A field in **bold** is required where what it is in is there.
`;

export function generateResources(): string {
  return [PREFACE, ...RESOURCE_KINDS.map(section)].join('\n');
}

function section(resource: ResourceKind): string {
  const { kind, plural, shortName, scope, description, spec } = resource;
  const whose = scope === 'Cluster' ? 'of the cluster' : 'of a namespace';
  return `## ${kind}

${description} It is an object ${whose}; kubectl knows it as \`${plural}\` and \`${shortName}\`.

\`\`\`yaml
${RESOURCE_EXAMPLES[kind]?.trim()}
\`\`\`

| Field of \`spec\` | Takes | By default | Meaning |
|---|---|---|---|
${rows(structuralSchema(spec), '').join('\n')}
`;
}

/** Of the fields below, each with its own below it. */
function rows({ properties = {}, required = [] }: StructuralSchema, way: string): readonly string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${way}${name}`;
    const shown = required.includes(name) ? `**\`${path}\`**` : `\`${path}\``;
    return [row(shown, field), ...within(field, path)];
  });
}

function within(field: StructuralSchema, path: string): readonly string[] {
  if (field.items?.properties) return rows(field.items, `${path}[].`);
  const { additionalProperties: entry } = field;
  if (entry?.properties) return [row(`\`${path}{}\``, entry), ...rows(entry, `${path}{}.`)];
  return rows(field, `${path}.`);
}

function row(path: string, field: StructuralSchema): string {
  const rules = [field, ...(field.items ? [field.items] : [])].flatMap(messages);
  const meaning = [field.description ?? '', ...rules.map(sentence)].join(' ');
  return `| ${path} | ${takes(field)} | ${byDefault(field)} | ${escapePipes(meaning)} |`;
}

function takes(field: StructuralSchema): string {
  if (field[INT_OR_STRING] === true) return 'string or integer';
  if (Array.isArray(field.enum)) return field.enum.map((word) => `\`${word}\``).join(', ');
  if (field.type === 'integer') return `${field.minimum} to ${field.maximum}`;
  if (field.items) return `list${field.items.type === 'string' ? ' of strings' : ''}, at most ${field.maxItems}`;
  if (field.additionalProperties) return `map, at most ${field.maxProperties}`;
  return field.type ?? '';
}

function byDefault(field: StructuralSchema): string {
  const initial = field.default;
  return initial === undefined || typeof initial === 'object' ? '' : `\`${String(initial)}\``;
}

/** How several fields go together; how one text is written, its description says. */
function messages(field: StructuralSchema): readonly string[] {
  if (field.type !== 'object') return [];
  const rules = field['x-kubernetes-validations'];
  return Array.isArray(rules) ? rules.map(({ message }) => String(message)) : [];
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

function escapePipes(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*');
}
