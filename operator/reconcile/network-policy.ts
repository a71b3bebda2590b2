// The NetworkPolicy of an app that nobody is to call past its sidecar: what it looks like, and what is to be done about it. Pure:
// facts in, one step out.
//
// Ports stand in it by number. A name would be looked up in each pod by the network plug-in, and not every one looks among the
// init containers, where a sidecar is. So while pods of an app differ in their ports, each is open at the ports of all.
import { isDeepStrictEqual } from 'node:util';
import type { V1Namespace, V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import type { Target } from '../../api/ids.ts';
import {
  APP_ID_KEY,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  networkPolicyName,
  PORTS,
  SIDECAR_CONTAINER,
} from '../../api/pod.ts';
import { includes } from './includes.ts';
import { OWNER } from './owner.ts';

export interface NetworkPolicyFacts {
  readonly target: Target;
  /** Undefined: gone, or not known yet. */
  readonly namespace: V1Namespace | undefined;
  /** Whether direct traffic to the apps of the namespace is denied. */
  readonly isDenied: boolean;
  readonly isClaimed: boolean;
  /** Of the app, those that live. */
  readonly pods: readonly V1Pod[];
  /** Ours, by its label. */
  readonly existing: V1NetworkPolicy | undefined;
}

export type NetworkPolicyStep =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'create'; readonly networkPolicy: V1NetworkPolicy }
  /** Only what was looked at: whoever has changed it since, or has put their own in its place, wins. */
  | { readonly kind: 'replace'; readonly networkPolicy: V1NetworkPolicy }
  | { readonly kind: 'delete'; readonly networkPolicy: V1NetworkPolicy };

const NOTHING: NetworkPolicyStep = { kind: 'nothing' };

export function networkPolicyStep(facts: NetworkPolicyFacts): NetworkPolicyStep {
  const { namespace, existing } = facts;
  const isDying = namespace === undefined || namespace.metadata?.deletionTimestamp !== undefined;
  // The end of one that is being deleted is told when it comes.
  if (isDying || existing?.metadata?.deletionTimestamp !== undefined) return NOTHING;
  const isWanted = facts.isDenied && facts.isClaimed;
  if (!isWanted) return existing === undefined ? NOTHING : { kind: 'delete', networkPolicy: existing };
  const wanted = wantedNetworkPolicy(facts);
  if (existing === undefined) return { kind: 'create', networkPolicy: wanted };
  return isAsWanted(existing, wanted) ? NOTHING : { kind: 'replace', networkPolicy: mended(existing, wanted) };
}

/** Whatever else stands in the spec admits more, or is about other pods. */
function isAsWanted(existing: V1NetworkPolicy, wanted: V1NetworkPolicy): boolean {
  const isLabelled = includes(existing.metadata?.labels, wanted.metadata?.labels);
  const isOwned = includes(existing.metadata?.ownerReferences, [OWNER]);
  return isLabelled && isOwned && isDeepStrictEqual(existing.spec, wanted.spec);
}

function mended({ metadata = {} }: V1NetworkPolicy, wanted: V1NetworkPolicy): V1NetworkPolicy {
  const labels = { ...metadata.labels, ...wanted.metadata?.labels };
  return { ...wanted, metadata: { annotations: {}, ...metadata, labels } };
}

/** All of it that is ours, without the owner, whose uid is looked up when it is written. */
export function wantedNetworkPolicy({ target, pods }: Pick<NetworkPolicyFacts, 'target' | 'pods'>): V1NetworkPolicy {
  const ports = admittedPorts(pods);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: networkPolicyName(target.app),
      namespace: target.namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [APP_ID_KEY]: target.app },
    },
    spec: {
      podSelector: { matchLabels: { [APP_ID_KEY]: target.app } },
      policyTypes: ['Ingress'],
      ingress: [{ ports: ports.map((port) => ({ port, protocol: 'TCP' })) }],
    },
  };
}

/** Those of a sidecar that others have to reach, in order, of all pods together; before there is a pod, the usual ones. */
function admittedPorts(pods: readonly V1Pod[]): readonly number[] {
  const ports = new Set(pods.flatMap(sidecarPortsOf));
  const all = ports.size === 0 ? [PORTS.public, PORTS.peer, PORTS.metrics] : [...ports];
  return all.toSorted((a, b) => a - b);
}

/** As the webhook has declared them: peer, health, and metrics where they are served. */
function sidecarPortsOf({ spec }: V1Pod): readonly number[] {
  const sidecar = spec?.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
  return (sidecar?.ports ?? []).map(({ containerPort }) => containerPort);
}
