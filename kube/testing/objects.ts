// For tests: what an API server keeps in etcd: objects, one version for every change, and the changes since the last
// compaction. Anybody's objects of any kind; nothing is validated but what optimistic concurrency rests on.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

/** As JSON has it: times are strings. */
export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: StoredMeta;
  readonly [field: string]: unknown;
}

export interface StoredMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly generation: number;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface Change {
  readonly version: number;
  /** `apps/deployments`. */
  readonly resource: string;
  /** Undefined: deleted. */
  readonly now: StoredObject | undefined;
  readonly before: StoredObject | undefined;
}

/** What the server sets itself (uid, versions, creation time) is not taken from it. */
export interface Writable {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
}

export interface Objects {
  version(): number;
  get(resource: string, key: string): StoredObject | undefined;
  all(resource: string): readonly StoredObject[];
  /** Writes it whole under a new version, unless nothing is different. */
  write(resource: string, key: string, object: Writable): StoredObject;
  /** With finalizers it only gets its deletionTimestamp. */
  remove(resource: string, key: string): void;
  /** The changes after a version; undefined when they are no longer known. */
  since(version: number): readonly Change[] | undefined;
  compact(): void;
  changed(listener: (change: Change) => void): void;
}

export function createObjects(now: () => number): Objects {
  const resources = new Map<string, Map<string, StoredObject>>();
  const listeners: ((change: Change) => void)[] = [];
  let version = 1000;
  let history: Change[] = [];
  let compacted = version;

  const tableOf = (resource: string) => {
    const table = resources.get(resource) ?? new Map<string, StoredObject>();
    resources.set(resource, table);
    return table;
  };
  const record = (change: Change) => {
    history.push(change);
    for (const listener of listeners) listener(change);
  };
  const drop = (resource: string, key: string, before: StoredObject) => {
    version += 1;
    tableOf(resource).delete(key);
    // As etcd does it, a deletion has a version of its own, which the last state of the object carries.
    const last = { ...before, metadata: { ...before.metadata, resourceVersion: `${version}` } };
    record({ version, resource, now: undefined, before: last });
  };
  const write: Objects['write'] = (resource, key, object) => {
    const before = tableOf(resource).get(key);
    const merged = complete(object, before, new Date(now()).toISOString());
    if (before && isDeepStrictEqual(merged, before)) return before;
    version += 1;
    const generation = (before?.metadata.generation ?? 0) + (before && sameSpec(before, merged) ? 0 : 1);
    const stored = { ...merged, metadata: { ...merged.metadata, generation, resourceVersion: `${version}` } };
    if (stored.metadata.deletionTimestamp !== undefined && before?.metadata.finalizers?.length) {
      if (!stored.metadata.finalizers?.length) {
        drop(resource, key, stored);
        return stored;
      }
    }
    tableOf(resource).set(key, stored);
    record({ version, resource, now: stored, before });
    return stored;
  };

  return {
    version: () => version,
    get: (resource, key) => tableOf(resource).get(key),
    all: (resource) => [...tableOf(resource)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object),
    write,
    remove(resource, key) {
      const before = tableOf(resource).get(key);
      if (!before) return;
      if (!before.metadata.finalizers?.length) drop(resource, key, before);
      else if (before.metadata.deletionTimestamp === undefined) {
        const deletionTimestamp = new Date(now()).toISOString();
        write(resource, key, { ...before, metadata: { ...before.metadata, deletionTimestamp } });
      }
    },
    since: (asked) => (asked < compacted ? undefined : history.filter((change) => change.version > asked)),
    compact() {
      compacted = version;
      history = [];
    },
    changed: (listener) => void listeners.push(listener),
  };
}

/** With what the server sets itself, which nobody can change. */
function complete(object: Writable, before: StoredObject | undefined, time: string): StoredObject {
  const own = before?.metadata ?? { uid: randomUUID(), creationTimestamp: time, generation: 0, resourceVersion: '' };
  const { uid, creationTimestamp, generation, resourceVersion } = own;
  const metadata = { ...object.metadata, uid, creationTimestamp, generation, resourceVersion };
  return JSON.parse(JSON.stringify({ ...object, metadata }));
}

function sameSpec(before: StoredObject, now: StoredObject): boolean {
  const specOf = ({ metadata: _, status: __, ...rest }: StoredObject) => rest;
  return isDeepStrictEqual(specOf(before), specOf(now));
}
