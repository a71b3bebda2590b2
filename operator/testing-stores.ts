// For tests: stores that hold what the test puts in, without an API server behind them.
import type { Store } from '../kube/store.ts';
import { type KubernetesObject, keyOf } from '../kube/types.ts';
import type { Stores } from './stores.ts';

export interface MemoryStore<T> extends Store<T> {
  put(object: T): void;
  remove(key: string): void;
  /** What `staleMs` and `version` answer from now on. */
  pretend(state: { readonly staleMs?: number; readonly version?: number }): void;
}

export function memoryStore<T extends KubernetesObject>(...objects: readonly T[]): MemoryStore<T> {
  type Listener = Parameters<Store<T>['changed']>[0];
  const held = new Map(objects.map((object) => [keyOf(object), object]));
  const listeners = new Set<Listener>();
  let pretended = { staleMs: 0, version: 1 };
  function change(key: string, now: T | undefined): void {
    const before = held.get(key);
    if (now === undefined) held.delete(key);
    else held.set(key, now);
    for (const listener of [...listeners]) listener(key, now, before);
  }
  return {
    get: (key) => held.get(key),
    all: () => [...held.values()],
    version: () => pretended.version,
    synced: Promise.resolve(),
    staleMs: () => pretended.staleMs,
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    relist: () => Promise.resolve(),
    stop: () => listeners.clear(),
    put: (object) => change(keyOf(object), object),
    remove: (key) => change(key, undefined),
    pretend(state) {
      pretended = { ...pretended, ...state };
    },
  };
}

/** One empty store of each kind, but for those given. */
export function memoryStores(given: Partial<Stores> = {}): Stores {
  return {
    namespaces: memoryStore(),
    pods: memoryStore(),
    nodes: memoryStore(),
    services: memoryStore(),
    networkPolicies: memoryStore(),
    trustBundles: memoryStore(),
    workloads: [],
    accessPolicies: memoryStore(),
    resiliencies: memoryStore(),
    httpEndpoints: memoryStore(),
    namespacePolicies: memoryStore(),
    ...given,
  };
}
