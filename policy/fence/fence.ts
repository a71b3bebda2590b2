// The fence around a namespace, which the platform team sets by its NamespacePolicy: who may call in, and whom its apps may
// call. It comes before every AccessPolicy, so that nobody inside can open it. Calls within a namespace pass no fence.
//
// Both ends hold it. The caller's sidecar asks `mayLeave` first, so that a call which is not to be made does not leave. The
// callee's asks `mayEnter`, which knows both lists: the callee's own, and which namespaces may not call it.
import type { Identity, Target } from '../../api/ids.ts';
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import { NameIndex } from '../match/names.ts';

/** A list of a NamespacePolicy, by the patterns of namespaces and then of apps. */
type ListedApps = NameIndex<NameIndex<true>>;

export interface FenceSpec {
  /** The callee's namespace: who may call in. Undefined: everybody. */
  readonly callableFrom?: NamespacePolicySpec['callableFrom'];
  /** Namespaces whose `mayCall` does not have the callee, as `barredFrom` finds them. */
  readonly barred?: readonly string[];
}

export type FenceList = 'callableFrom' | 'mayCall';

/** For one callee. Immutable. */
export interface Fence {
  readonly own: Identity;
  /** By trust domain, then by namespace: apps. Undefined: everybody may call in. */
  readonly callableFrom: ReadonlyMap<string, ListedApps> | undefined;
  readonly barred: ReadonlySet<string>;
}

export function compileFence({ callableFrom, barred = [] }: FenceSpec, own: Identity): Fence {
  if (callableFrom === undefined) return { own, callableFrom: undefined, barred: new Set(barred) };
  const byTrustDomain = new Map<string, ListedApps>();
  for (const { namespace, app, trustDomain = own.trustDomain } of callableFrom) {
    const listed: ListedApps = byTrustDomain.get(trustDomain) ?? new NameIndex();
    byTrustDomain.set(trustDomain, listed);
    list(listed, namespace, app);
  }
  return { own, callableFrom: byTrustDomain, barred: new Set(barred) };
}

/** The list that keeps the caller out; undefined: none does. */
export function mayEnter(fence: Fence, caller: Identity): FenceList | undefined {
  const { own, callableFrom, barred } = fence;
  const isOfOurs = caller.trustDomain === own.trustDomain;
  if (isOfOurs && caller.namespace === own.namespace) return undefined;
  if (callableFrom !== undefined && !has(callableFrom.get(caller.trustDomain), caller)) return 'callableFrom';
  // A namespace of the same name in another trust domain is another namespace, of which our lists say nothing.
  if (isOfOurs && barred.has(caller.namespace)) return 'mayCall';
  return undefined;
}

/** The way out of one namespace. Immutable. */
export interface WayOut {
  readonly namespace: string;
  /** Undefined: everybody may be called. */
  readonly mayCall: ListedApps | undefined;
}

export function compileWayOut(namespace: string, mayCall: NamespacePolicySpec['mayCall']): WayOut {
  if (mayCall === undefined) return { namespace, mayCall };
  const listed: ListedApps = new NameIndex();
  for (const callee of mayCall) list(listed, callee.namespace, callee.app);
  return { namespace, mayCall: listed };
}

/** Whether an app of the namespace may call the target, by the namespace's own list. */
export function mayLeave({ namespace, mayCall }: WayOut, target: Target): boolean {
  return mayCall === undefined || target.namespace === namespace || has(mayCall, target);
}

/** The namespaces whose own list does not let them call the target: what its sidecar is to be told. */
export function barredFrom(target: Target, waysOut: readonly WayOut[]): readonly string[] {
  return waysOut.filter((wayOut) => !mayLeave(wayOut, target)).map(({ namespace }) => namespace);
}

function list(listed: ListedApps, namespace: string, app = '*'): void {
  listed.at(namespace, () => new NameIndex()).at(app, () => true);
}

function has(listed: ListedApps | undefined, { namespace, app }: Target): boolean {
  const namespaces: NameIndex<true>[] = [];
  const apps: true[] = [];
  listed?.find(namespace, namespaces);
  for (const found of namespaces) found.find(app, apps);
  return apps.length > 0;
}
