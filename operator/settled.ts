// Which Resiliency objects are in effect, namespace by namespace: of two that conflict the older. The feed leaves the younger out, and
// its status says why. Sidecars come to the same answer, of those that they are given.
import { createdMs } from '../api/resources/object.ts';
import type { Resiliency } from '../api/resources/resiliency.ts';
import type { Store } from '../kube/store.ts';
import { type Conflict, type PlacedResiliency, type Settled, settle } from '../policy/resiliency/settle.ts';
import { readStoredResiliency } from '../policy/resiliency/stored.ts';

interface Known {
  readonly members: readonly Resiliency[];
  readonly conflicts: ReadonlyMap<Resiliency, Conflict>;
}

export class SettledResiliencies {
  readonly #store: Pick<Store<Resiliency>, 'all'>;
  /** By namespace; holds for as long as the same objects are there. */
  readonly #known = new Map<string, Known>();
  readonly #read = new WeakMap<Resiliency, PlacedResiliency | undefined>();

  constructor(store: Pick<Store<Resiliency>, 'all'>) {
    this.#store = store;
  }

  /** What keeps an object from being in effect; undefined when nothing does. */
  conflictOf(object: Resiliency): Conflict | undefined {
    return this.#in(object.metadata.namespace ?? '').conflicts.get(object);
  }

  /** Those that conflict with no older one. What cannot be read is among them: it is the sidecars that refuse it. */
  acceptedIn(namespace: string): readonly Resiliency[] {
    const { members, conflicts } = this.#in(namespace);
    return members.filter((object) => !conflicts.has(object));
  }

  #in(namespace: string): Known {
    const members = this.#store.all().filter(({ metadata }) => metadata.namespace === namespace);
    const known = this.#known.get(namespace);
    if (known !== undefined && isSame(known.members, members)) return known;
    const fresh = { members, conflicts: this.#conflictsAmong(members) };
    if (members.length === 0) this.#known.delete(namespace);
    else this.#known.set(namespace, fresh);
    return fresh;
  }

  #conflictsAmong(members: readonly Resiliency[]): ReadonlyMap<Resiliency, Conflict> {
    const objects = new Map<PlacedResiliency, Resiliency>();
    for (const object of members) {
      const placed = this.#placed(object);
      if (placed !== undefined) objects.set(placed, object);
    }
    const { conflicts }: Settled = settle([...objects.keys()]);
    return new Map(
      conflicts.flatMap((conflict) => {
        const loser = objects.get(conflict.loser);
        return loser === undefined ? [] : [[loser, conflict]];
      }),
    );
  }

  #placed(object: Resiliency): PlacedResiliency | undefined {
    if (this.#read.has(object)) return this.#read.get(object);
    const { metadata, spec } = object;
    const read = readStoredResiliency(spec);
    const { namespace = '', name } = metadata;
    const placed = read.ok ? { namespace, name, createdMs: createdMs(metadata), spec: read.value } : undefined;
    this.#read.set(object, placed);
    return placed;
  }
}

function isSame(one: readonly Resiliency[], other: readonly Resiliency[]): boolean {
  return one.length === other.length && one.every((object, at) => object === other[at]);
}
