// The fence around a namespace, which the platform team sets by its NamespacePolicy: who may call in, and whom its apps may
// call. It comes before every AccessPolicy, so that nobody inside can open it. Calls within a namespace pass no fence.
//
// Both ends hold it. The caller's sidecar asks `mayLeave` first, so that a call which is not to be made does not leave. The
// callee's asks `mayEnter`, which knows both lists: the callee's own, and which namespaces may not call it.
import type { Identity, Target } from '../../api/ids.ts';
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import { matchesGlob, parseGlob } from '../match/glob.ts';
import { NameIndex } from '../match/names.ts';

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
  readonly callableFrom: ReadonlyMap<string, NameIndex<NameIndex<true>>> | undefined;
  readonly barred: ReadonlySet<string>;
}

export function compileFence({ callableFrom, barred = [] }: FenceSpec, own: Identity): Fence {
  if (callableFrom === undefined) return { own, callableFrom: undefined, barred: new Set(barred) };
  const byTrustDomain = new Map<string, NameIndex<NameIndex<true>>>();
  for (const { namespace, app = '*', trustDomain = own.trustDomain } of callableFrom) {
    const namespaces = byTrustDomain.get(trustDomain) ?? new NameIndex();
    byTrustDomain.set(trustDomain, namespaces);
    namespaces.at(namespace, () => new NameIndex()).at(app, () => true);
  }
  return { own, callableFrom: byTrustDomain, barred: new Set(barred) };
}

/** The list that keeps the caller out; undefined: none does. */
export function mayEnter(fence: Fence, caller: Identity): FenceList | undefined {
  const { own, callableFrom, barred } = fence;
  const isOfOurs = caller.trustDomain === own.trustDomain;
  if (isOfOurs && caller.namespace === own.namespace) return undefined;
  if (callableFrom !== undefined && !has(callableFrom, caller)) return 'callableFrom';
  // A namespace of the same name in another trust domain is another namespace, of which our lists say nothing.
  if (isOfOurs && barred.has(caller.namespace)) return 'mayCall';
  return undefined;
}

function has(callableFrom: ReadonlyMap<string, NameIndex<NameIndex<true>>>, caller: Identity): boolean {
  const namespaces: NameIndex<true>[] = [];
  const apps: true[] = [];
  callableFrom.get(caller.trustDomain)?.find(caller.namespace, namespaces);
  for (const found of namespaces) found.find(caller.app, apps);
  return apps.length > 0;
}

/** Whether an app of the namespace may call the target, by the namespace's own list. */
export function mayLeave(mayCall: NamespacePolicySpec['mayCall'], ownNamespace: string, target: Target): boolean {
  if (mayCall === undefined || target.namespace === ownNamespace) return true;
  return mayCall.some(
    ({ namespace, app = '*' }) =>
      matchesGlob(parseGlob(namespace), target.namespace) && matchesGlob(parseGlob(app), target.app),
  );
}

/** The namespaces whose own list does not let them call the target: what its sidecar is to be told. */
export function barredFrom(
  target: Target,
  policies: readonly { readonly namespace: string; readonly spec: Pick<NamespacePolicySpec, 'mayCall'> }[],
): readonly string[] {
  return policies
    .filter(({ namespace, spec }) => !mayLeave(spec.mayCall, namespace, target))
    .map(({ namespace }) => namespace);
}
