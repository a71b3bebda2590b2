// Who claims an app id: a live pod by its label, a workload by the annotation on its pod template. While somebody does, the
// app has a Service and is known to the feed.
import type { V1Pod } from '@kubernetes/client-node';
import { parseAppId, parseNamespace, type Target } from '../api/ids.ts';
import { APP_ID_KEY } from '../api/pod.ts';
import type { Cancel } from '../kit/clock.ts';
import type { Store } from '../kube/store.ts';
import { keyOf } from '../kube/types.ts';
import { templateOf, type Workload } from '../kube/workload.ts';
import type { Stores } from './stores.ts';

/** The app that this pod is; undefined when it is none of ours, or has ended. */
export function claimOfPod(pod: V1Pod): Target | undefined {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  return targetOf(pod.metadata?.namespace, pod.metadata?.labels?.[APP_ID_KEY]);
}

/** The app that its pods are, now or when there are some; undefined when it is none of ours, or makes no more pods. */
export function claimOfWorkload(workload: Workload): Target | undefined {
  // Its last pods claim for themselves while they live.
  if (workload.metadata?.deletionTimestamp !== undefined || isFinished(workload)) return undefined;
  return targetOf(workload.metadata?.namespace, templateOf(workload)?.metadata?.annotations?.[APP_ID_KEY]);
}

/** By which claims are counted: `namespace/app`. */
export function claimKey({ namespace, app }: Target): string {
  return `${namespace}/${app}`;
}

/** Undefined: no app can have it. */
export function parseClaimKey(key: string): Target | undefined {
  const [namespaceText, appText = '', ...rest] = key.split('/');
  return rest.length > 0 ? undefined : targetOf(namespaceText, appText);
}

/** Conditions of a Job that is over; no other workload has them. */
export const ENDINGS: ReadonlySet<string> = new Set(['Complete', 'Failed']);

function isFinished({ status }: Workload): boolean {
  return status?.conditions?.some(({ type, status }) => ENDINGS.has(type) && status === 'True') === true;
}

function targetOf(namespaceText: string | undefined, appText: string | undefined): Target | undefined {
  const app = parseAppId(appText ?? '');
  const namespace = parseNamespace(namespaceText ?? '');
  return app.ok && namespace.ok ? { app: app.value, namespace: namespace.value } : undefined;
}

/** Somebody who claims an app id. */
export type Claimant = V1Pod | Workload;

/** All claims, by the app that is claimed. */
export interface Claims {
  /** Those who claim `namespace/app` now. */
  of(key: string): readonly Claimant[];
  /** Each app that is claimed. */
  keys(): readonly string[];
  /** After somebody began to claim `key`, or ceased to. */
  changed(listener: (key: string) => void): Cancel;
  stop(): void;
}

type ClaimSources = Pick<Stores, 'pods' | 'workloads'>;

/** Follows the stores: nobody has to look through every pod to know about one app. */
export function followClaims({ pods, workloads }: ClaimSources): Claims {
  const index = new ClaimIndex();
  const listeners = new Set<(key: string) => void>();
  const tell = (key: string) => {
    for (const listener of [...listeners]) listener(key);
  };

  /** `place` tells objects of the same name in several stores apart. */
  function follow<T extends Claimant>(place: string, store: Store<T>, claimOf: (object: T) => Target | undefined) {
    for (const object of store.all()) {
      const claimed = claimOf(object);
      if (claimed !== undefined) index.put(`${place}/${keyOf(object)}`, claimed, object);
    }
    return store.changed((objectKey, now, before) => {
      const source = `${place}/${objectKey}`;
      const [nowClaimed, beforeClaimed] = [now && claimOf(now), before && claimOf(before)];
      const left = beforeClaimed && index.take(source, beforeClaimed);
      const joined = now && nowClaimed && index.put(source, nowClaimed, now);
      if (left === joined) return;
      for (const key of [left, joined]) if (key !== undefined) tell(key);
    });
  }

  const cancels = [
    follow('pods', pods, claimOfPod),
    ...workloads.map((store, i) => follow(`workloads-${i}`, store, claimOfWorkload)),
  ];
  return {
    of: (key) => index.of(key),
    keys: () => index.keys(),
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      for (const cancel of cancels) cancel();
      listeners.clear();
    },
  };
}

/** Who claims what: claimants by the app, and each by where it was found. */
class ClaimIndex {
  readonly #claimants = new Map<string, Map<string, Claimant>>();

  of(key: string): readonly Claimant[] {
    return [...(this.#claimants.get(key)?.values() ?? [])];
  }

  keys(): readonly string[] {
    return [...this.#claimants.keys()];
  }

  /** The key of what is claimed now. */
  put(source: string, claimed: Target, claimant: Claimant): string {
    const key = claimKey(claimed);
    const known = this.#claimants.get(key) ?? new Map<string, Claimant>();
    this.#claimants.set(key, known.set(source, claimant));
    return key;
  }

  /** The key of what is claimed no longer. */
  take(source: string, claimed: Target): string {
    const key = claimKey(claimed);
    const known = this.#claimants.get(key);
    known?.delete(source);
    if (known?.size === 0) this.#claimants.delete(key);
    return key;
  }
}
