// Whether this replica is of use, and if not, why not: for the readiness probe, and for whoever reads it.
import type { Page } from '../kit/pages.ts';
import type { Store } from '../kube/store.ts';
import { WORKLOAD_KINDS } from '../kube/workload.ts';
import type { Stores } from './stores.ts';

/** A part of the operator; undefined when it serves, else what is the matter. */
export type Readiness = () => string | undefined;

/**
 * A watch is heard of about once a minute, by a bookmark. So long without, and what is decided here rests on what no
 * longer holds; other replicas may be better off.
 */
export const STALE_MAX_MS = 5 * 60_000;

/** One sentence each; empty when it is ready. */
export function unready(stores: Stores, parts: readonly Readiness[]): readonly string[] {
  return [
    ...namedStores(stores).flatMap(([name, store]) => storeTrouble(name, store)),
    ...parts.flatMap((part) => part() ?? []),
  ];
}

function storeTrouble(name: string, store: Store<unknown>): readonly string[] {
  if (store.version() === 0) return [`the ${name} of the cluster have not been listed yet`];
  const staleMs = store.staleMs();
  if (staleMs <= STALE_MAX_MS) return [];
  return [`nothing has been heard of ${name} from the API server for ${Math.round(staleMs / 1000)} s`];
}

/** Each with its name in messages and metrics. */
export function namedStores(stores: Stores): readonly (readonly [name: string, store: Store<unknown>])[] {
  const { workloads, ...others } = stores;
  return [
    ...Object.entries<Store<unknown>>(others).map(([name, store]) => [dashed(name), store] as const),
    ...workloads.map((store, i) => [WORKLOAD_KINDS[i]?.plural ?? 'workloads', store] as const),
  ];
}

/** 200 or 503, with the reasons. */
export function readinessPage(reasons: readonly string[]): Page {
  if (reasons.length === 0) return { status: 200, body: 'ready\n' };
  return { status: 503, body: `${reasons.join('\n')}\n` };
}

/** `trustBundles` as `trust-bundles`. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
