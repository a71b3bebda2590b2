// For tests: how an API server calls what a request or a kind means.
interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export function resourceOf({ group, plural }: Pick<Resource, 'group' | 'plural'>): string {
  return `${group}/${plural}`;
}

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

export function keyIn({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}): string {
  return namespace === undefined ? `${name}` : `${namespace}/${name}`;
}
