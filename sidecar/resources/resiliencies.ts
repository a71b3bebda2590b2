// Resiliency objects out of resource files: of our kind, and of Dapr's of the same name.
import { err, ok, type Result } from '../../kit/result.ts';
import { type PlacedResiliency, settle } from '../../policy/resiliency/settle.ts';
import { fieldsOf, namespaceOf, type ResourceDocument } from './documents.ts';

export interface LoadedResiliency {
  readonly object: PlacedResiliency;
  /** A sentence for each part that means nothing here. */
  readonly ignored: readonly string[];
}

/** Or everything that is wrong with it. `number`: files have no age, so their order stands for it. */
export async function readResiliencyDocument(
  { name, content }: ResourceDocument,
  isDaprs: boolean,
  number: number,
): Promise<Result<LoadedResiliency, readonly string[]>> {
  const { metadata, spec = {}, scopes } = fieldsOf(content);
  const namespace = namespaceOf(metadata);
  if (!namespace.ok) return err([namespace.error]);
  const place = { namespace: namespace.value, name, createdMs: number };
  // The schemas are a large library, and most folders hold no such object.
  if (isDaprs) {
    const { readDaprResiliency } = await import('../../policy/resiliency/dapr.ts');
    const read = readDaprResiliency(spec, scopes);
    return read.ok ? ok({ object: { ...place, spec: read.value.spec }, ignored: read.value.ignored }) : read;
  }
  const { readResiliency } = await import('../../api/resources/resiliency.ts');
  const read = readResiliency(spec);
  return read.ok ? ok({ object: { ...place, spec: read.value }, ignored: [] }) : read;
}

/** On a cluster the older of two that conflict holds; files are there to be put right. */
export function conflictsAmong(objects: readonly PlacedResiliency[]): readonly string[] {
  const namespaces = new Set(objects.map(({ namespace }) => namespace));
  return [...namespaces].flatMap((own) =>
    settle(objects.filter(({ namespace }) => namespace === own)).conflicts.map(
      ({ loser, winner, about }) =>
        `Resiliency "${loser.name}" and "${winner.name}" of namespace ${own} both say ${about} for the same apps; ` +
        'take it out of one of the two, or give them scopes that do not overlap',
    ),
  );
}
