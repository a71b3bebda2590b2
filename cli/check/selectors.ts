// Whether labels are selected, as Kubernetes has it.
import type { NetworkPolicy } from './facts.ts';

type Selector = NonNullable<NonNullable<NetworkPolicy['spec']>['podSelector']>;
type Labels = Readonly<Record<string, string>>;

/** An empty selector selects all. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    hasAll(matchLabels, labels) &&
    matchExpressions.every(({ key, operator, values = [] }) => holds(operator, labels[key], values))
  );
}

export function hasAll(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

function holds(operator: string, value: string | undefined, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
