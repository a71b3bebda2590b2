// For tests: label and field selectors, as lists and watches take them.
import type { StoredObject } from './objects.ts';

export type Matches = (object: StoredObject) => boolean;

/** The fields that every kind can be selected by; any other is refused by throwing, as the API server does. */
const FIELDS: Readonly<Record<string, (object: StoredObject) => string | undefined>> = {
  'metadata.name': ({ metadata }) => metadata.name,
  'metadata.namespace': ({ metadata }) => metadata.namespace,
};

export function selection(query: URLSearchParams): Matches {
  const labels = requirements(query.get('labelSelector') ?? '').map(byLabel);
  const fields = requirements(query.get('fieldSelector') ?? '').map(byField);
  return (object) => [...labels, ...fields].every((matches) => matches(object));
}

/** Parts at commas, of which those within brackets separate values. */
function requirements(selector: string): string[] {
  const parts = selector.split(/,(?![^(]*\))/).map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

function byLabel(requirement: string): Matches {
  const set = /^(\S+) (in|notin) \((.*)\)$/.exec(requirement);
  const equal = /^([^=!\s]+)\s*(=|==|!=)\s*(\S*)$/.exec(requirement);
  const [
    ,
    key = requirement.replace(/^!/, ''),
    operator = requirement.startsWith('!') ? 'absent' : 'present',
    right = '',
  ] = set ?? equal ?? [];
  const values = right.split(',').map((value) => value.trim());
  return ({ metadata }) => {
    const label = metadata.labels?.[key];
    if (operator === 'present') return label !== undefined;
    if (operator === 'absent') return label === undefined;
    const isOneOf = label !== undefined && values.includes(label);
    return operator === 'notin' || operator === '!=' ? !isOneOf : isOneOf;
  };
}

function byField(requirement: string): Matches {
  const [, field = '', operator, value] = /^([\w.]+)(==?|!=)(.*)$/.exec(requirement) ?? [];
  const read = FIELDS[field];
  if (!read) throw new Error(`field label not supported: ${requirement}`);
  return (object) => (read(object) === value) === (operator !== '!=');
}
