// The Resiliency objects of the operator's snapshot. One that cannot be read goes on with what it said last; if it has never said
// anything, it is as if it were not there.
import type { Log } from '../../kit/log.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import { readStoredResiliency } from '../../policy/resiliency/stored.ts';
import type { ConfigResource, FeedConfig } from '../feed/feed.ts';

const RESILIENCY = 'Resiliency';

/** Changes when one of them has changed, and not with each snapshot. */
export function resilienciesFromFeed(
  config: Snapshot<FeedConfig | undefined>,
  log: Log,
): Snapshot<readonly PlacedResiliency[]> {
  let known = new Map<string, PlacedResiliency>();
  let text = '';
  const read = (written: readonly ConfigResource[]) => {
    const objects = written.flatMap((resource) => {
      const object = readOne(resource, known, log);
      return object === undefined ? [] : [object];
    });
    // Those that are gone are forgotten: another object of the name would be another object.
    known = new Map(objects.map((object) => [keyOf(object), object]));
    return objects;
  };
  const take = (next: FeedConfig | undefined) => {
    const written = (next?.resources ?? []).filter(({ kind }) => kind === RESILIENCY);
    const before = text;
    text = JSON.stringify(written.map(({ namespace, name, createdMs, spec }) => [namespace, name, createdMs, spec]));
    return text === before ? undefined : read(written);
  };
  const objects = snapshot(take(config.current()) ?? []);
  config.changed((next) => {
    const changed = next && take(next);
    if (changed !== undefined) objects.set(changed);
  });
  return objects;
}

function readOne(
  { namespace, name, createdMs, spec }: ConfigResource,
  known: ReadonlyMap<string, PlacedResiliency>,
  log: Log,
): PlacedResiliency | undefined {
  const read = readStoredResiliency(spec);
  if (read.ok) return { namespace, name, createdMs, spec: read.value };
  const last = known.get(keyOf({ namespace, name }));
  const outcome = last === undefined ? 'it is as if it were not there' : 'what it said before holds on';
  log.error(`Resiliency "${name}" cannot be read: ${outcome}`, { reason: read.error });
  return last;
}

function keyOf({ namespace, name }: Pick<PlacedResiliency, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
