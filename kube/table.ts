// The objects of one kind in memory, and who hears of their changes. Whatever way an object comes (a list, a watch that
// repeats itself), listeners hear only of what is really different.
import type { Cancel } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import type { Log } from '../kit/log.ts';
import type { Store } from './store.ts';
import { type KubernetesObject, keyOf } from './types.ts';

type Listener<T> = Parameters<Store<T>['changed']>[0];

export interface Table<T> extends Pick<Store<T>, 'get' | 'all' | 'version' | 'changed'> {
  /** Everything there is at a version: what is missing in it is gone. */
  reset(items: readonly T[], resourceVersion: string): void;
  put(object: T): void;
  drop(object: T): void;
  /** Nothing changed up to there. */
  reached(resourceVersion: string): void;
}

interface Row<T> {
  readonly resourceVersion: string | undefined;
  readonly object: T;
}

interface Change<T> {
  readonly key: string;
  readonly now: T | undefined;
  readonly before: T | undefined;
}

export function createTable<T extends KubernetesObject>(select: (object: T) => T, log: Log): Table<T> {
  let rows = new Map<string, Row<T>>();
  let all: readonly T[] | undefined;
  let version = 0;
  const listeners = new Set<{ readonly listener: Listener<T> }>();

  const tell = ({ key, now, before }: Change<T>) => {
    for (const { listener } of [...listeners]) {
      attempt(log, 'a listener to changes of an object failed', key, () => listener(key, now, before));
    }
  };
  const reached = (resourceVersion: string | undefined) => {
    const reachedVersion = Number(resourceVersion);
    if (reachedVersion > version) version = reachedVersion;
  };
  /** The row of before where nothing changed. */
  const rowOf = (key: string, object: T): Row<T> => {
    const held = rows.get(key);
    const resourceVersion = object.metadata?.resourceVersion;
    if (held && held.resourceVersion === resourceVersion) return held;
    const trimmed = attempt(log, 'an object could not be trimmed and is kept whole', key, () => select(object));
    return { resourceVersion, object: trimmed ?? object };
  };

  return {
    get: (key) => rows.get(key)?.object,
    all: () => {
      all ??= [...rows.values()].map(({ object }) => object);
      return all;
    },
    version: () => version,
    reached,
    changed(listener): Cancel {
      const entry = { listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    reset(items, resourceVersion) {
      const before = rows;
      rows = new Map(items.map((object) => [keyOf(object), rowOf(keyOf(object), object)]));
      all = undefined;
      // Smaller than before only where versions began anew: whoever compares them has to see that.
      version = Number(resourceVersion);
      for (const change of differences(before, rows)) tell(change);
    },
    put(object) {
      const key = keyOf(object);
      const held = rows.get(key);
      const row = rowOf(key, object);
      reached(row.resourceVersion);
      if (row === held) return;
      rows.set(key, row);
      all = undefined;
      tell({ key, now: row.object, before: held?.object });
    },
    drop(object) {
      const key = keyOf(object);
      const held = rows.get(key);
      reached(object.metadata?.resourceVersion);
      if (!held) return;
      rows.delete(key);
      all = undefined;
      tell({ key, now: undefined, before: held.object });
    },
  };
}

function differences<T>(before: ReadonlyMap<string, Row<T>>, now: ReadonlyMap<string, Row<T>>): readonly Change<T>[] {
  const gone = [...before]
    .filter(([key]) => !now.has(key))
    .map(([key, row]) => ({ key, now: undefined, before: row.object }));
  const fresh = [...now]
    .filter(([key, row]) => before.get(key) !== row)
    .map(([key, row]) => ({ key, now: row.object, before: before.get(key)?.object }));
  return [...gone, ...fresh];
}

/** A bug in what we were given must not end the watch: it is said, and the rest goes on. */
function attempt<R>(log: Log, message: string, key: string, run: () => R): R | undefined {
  try {
    return run();
  } catch (error) {
    log.error(message, { key, error: messageOf(error) });
    return undefined;
  }
}
