// Keeps a NetworkPolicy for each app of the namespaces whose NamespacePolicy denies direct traffic: gathers what is known, and does
// what network-policy.ts says.
import type { V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import { networkPolicyName } from '../../api/pod.ts';
import { ok } from '../../kit/result.ts';
import type { Answered } from '../../kube/kube.ts';
import { keyOf, NETWORK_POLICIES, PODS } from '../../kube/types.ts';
import { type Claimant, type Claims, claimKey, parseClaimKey } from '../claims.ts';
import type { Stores } from '../stores.ts';
import { type NetworkPolicyFacts, type NetworkPolicyStep, networkPolicyStep } from './network-policy.ts';
import { BLOCKED_AGAIN_MS, createOwn, type OwnObjectDeps, replaceOwn } from './own-objects.ts';
import { outcome, type Reconciled, type Reconciler, type Warning } from './reconciler.ts';

export interface NetworkPoliciesOptions extends OwnObjectDeps {
  readonly stores: Pick<Stores, 'namespaces' | 'namespacePolicies' | 'networkPolicies'>;
  readonly claims: Claims;
}

export function networkPoliciesReconciler(options: NetworkPoliciesOptions): Reconciler {
  const { stores, claims } = options;
  const keysIn = (namespace: string) => claims.keys().filter((key) => key.startsWith(`${namespace}/`));
  return {
    name: 'network-policies',
    keys: () => [...new Set([...claims.keys(), ...stores.networkPolicies.all().flatMap(keyOfOwn)])],
    follow(look) {
      const cancels = [
        // Also of each pod that comes or goes, and the ports of one that is there stay as they are.
        claims.changed(look),
        stores.networkPolicies.changed((_, now, before) => {
          const networkPolicy = now ?? before;
          if (networkPolicy !== undefined) keyOfOwn(networkPolicy).forEach(look);
        }),
        stores.namespacePolicies.changed((namespace, now, before) => {
          if (now?.spec.directTraffic !== before?.spec.directTraffic) keysIn(namespace).forEach(look);
        }),
        // A pod may be heard of before its namespace is.
        stores.namespaces.changed((namespace, _, before) => {
          if (before === undefined) keysIn(namespace).forEach(look);
        }),
      ];
      return () => {
        for (const cancel of cancels) cancel();
      };
    },
    async reconcile(key) {
      return await carryOut(networkPolicyStep(gather(key, options)), claims.of(key), options);
    },
  };
}

/** None, for one whose name no app of ours can have. */
function keyOfOwn(networkPolicy: V1NetworkPolicy): string[] {
  const { namespace, name } = networkPolicy.metadata ?? {};
  const target = parseClaimKey(`${namespace}/${name?.replace(/-invoke$/, '')}`);
  return target !== undefined && name === networkPolicyName(target.app) ? [claimKey(target)] : [];
}

function gather(key: string, { stores, claims }: NetworkPoliciesOptions): NetworkPolicyFacts {
  const target = parseClaimKey(key);
  if (target === undefined) throw new Error(`"${key}" is no key of an app`);
  const claimants = claims.of(key);
  return {
    target,
    namespace: stores.namespaces.get(target.namespace),
    isDenied: stores.namespacePolicies.get(target.namespace)?.spec.directTraffic === 'deny',
    isClaimed: claimants.length > 0,
    pods: claimants.filter(isPod),
    existing: stores.networkPolicies.get(`${target.namespace}/${networkPolicyName(target.app)}`),
  };
}

function isPod(claimant: Claimant): claimant is V1Pod {
  return claimant.kind === PODS.kind;
}

async function carryOut(
  step: NetworkPolicyStep,
  claimants: readonly Claimant[],
  options: NetworkPoliciesOptions,
): Answered<Reconciled> {
  const { kube } = options;
  switch (step.kind) {
    case 'nothing':
      return ok({ did: 'nothing' });
    case 'create':
      return await createOwn(NETWORK_POLICIES, step.networkPolicy, { claimants, warning: nameTaken }, options);
    case 'replace':
      return outcome(await replaceOwn(NETWORK_POLICIES, step.networkPolicy, kube), 'applied');
    case 'delete':
      return outcome(await kube.delete(NETWORK_POLICIES, step.networkPolicy), 'deleted');
  }
}

function nameTaken(found: V1NetworkPolicy): Warning {
  const note =
    `The NetworkPolicy ${keyOf(found)} is not Invoke's, so the app can be called past its sidecar, though the NamespacePolicy ` +
    `says directTraffic: deny. Rename or delete it; Invoke looks again every ${BLOCKED_AGAIN_MS / 1000} seconds.`;
  return { reason: 'NetworkPolicyNameTaken', action: 'CreateNetworkPolicy', note };
}
