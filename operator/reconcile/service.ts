// The headless Service of an app: what it looks like, and what is to be done about it. Pure: facts in, one step out.
import { isDeepStrictEqual } from 'node:util';
import type { V1Namespace, V1Service } from '@kubernetes/client-node';
import type { Target } from '../../api/ids.ts';
import { APP_ID_KEY, GROUP, MANAGED_BY, MANAGED_BY_LABEL, PEER_PORT_NAME, PORTS, serviceName } from '../../api/pod.ts';
import { includes } from './includes.ts';
import { OWNER } from './owner.ts';

/** On a Service of ours whose app nobody claims any more: since when, as RFC 3339 has it. */
export const UNCLAIMED_SINCE_KEY = `${GROUP}/unclaimed-since`;

/** Sidecars that call a name while its only workload is made anew find it still there. */
export const UNCLAIMED_KEPT_MS = 10 * 60_000;

/** As a clusterIP: none, so that DNS answers with the pods. */
const HEADLESS = 'None';

export interface ServiceFacts {
  readonly target: Target;
  /** Undefined: gone, or not known yet. */
  readonly namespace: V1Namespace | undefined;
  readonly isClaimed: boolean;
  /** Ours, by its label. */
  readonly existing: V1Service | undefined;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** What is to be done. `againInMs`: nothing else will bring the app up, but time does. */
export type ServiceStep =
  | { readonly kind: 'nothing'; readonly againInMs?: number }
  | { readonly kind: 'create'; readonly service: V1Service }
  /** Only what was looked at: whoever has changed it since, or has put their own in its place, wins. */
  | { readonly kind: 'replace'; readonly service: V1Service; readonly againInMs?: number }
  | { readonly kind: 'delete'; readonly service: V1Service };

type Check = (facts: ServiceFacts) => ServiceStep | undefined;

/** The first that has something to say decides. */
const CHECKS: readonly Check[] = [
  skipDyingNamespace,
  skipDying,
  skipUnclaimedUnmade,
  createClaimed,
  deleteOverdue,
  deleteUnmendable,
  mend,
];

export function serviceStep(facts: ServiceFacts): ServiceStep {
  for (const check of CHECKS) {
    const step = check(facts);
    if (step !== undefined) return step;
  }
  return { kind: 'nothing', ...againAfter(facts) };
}

function skipDyingNamespace({ namespace }: ServiceFacts): ServiceStep | undefined {
  const isAlive = namespace !== undefined && namespace.metadata?.deletionTimestamp === undefined;
  return isAlive ? undefined : { kind: 'nothing' };
}

/** Its end is told when it comes. */
function skipDying({ existing }: ServiceFacts): ServiceStep | undefined {
  return existing?.metadata?.deletionTimestamp === undefined ? undefined : { kind: 'nothing' };
}

function skipUnclaimedUnmade({ isClaimed, existing }: ServiceFacts): ServiceStep | undefined {
  return isClaimed || existing !== undefined ? undefined : { kind: 'nothing' };
}

function createClaimed(facts: ServiceFacts): ServiceStep | undefined {
  return facts.existing === undefined ? { kind: 'create', service: wantedService(facts) } : undefined;
}

function deleteOverdue(facts: ServiceFacts): ServiceStep | undefined {
  const { existing, isClaimed } = facts;
  if (isClaimed || existing === undefined || leftMs(facts) > 0) return undefined;
  return { kind: 'delete', service: existing };
}

/** An address of the cluster's own, once it is there, cannot be taken away. It is made anew when its end is told. */
function deleteUnmendable({ existing }: ServiceFacts): ServiceStep | undefined {
  const { clusterIP, type } = existing?.spec ?? {};
  if (existing === undefined || type === 'ExternalName' || clusterIP === HEADLESS) return undefined;
  return { kind: 'delete', service: existing };
}

/** Reverts edits of what is ours, and writes down or takes back that nobody claims the app. */
function mend(facts: ServiceFacts): ServiceStep | undefined {
  const { existing, isClaimed } = facts;
  if (existing === undefined) return undefined;
  const service = wantedService(facts);
  const isMarkStale = isClaimed && existing.metadata?.annotations?.[UNCLAIMED_SINCE_KEY] !== undefined;
  // Every other label in a selector leaves pods out.
  const isSelecting = isDeepStrictEqual(existing.spec?.selector, service.spec?.selector);
  const isOwned = includes(existing.metadata?.ownerReferences, [OWNER]);
  if (includes(existing, service) && isSelecting && isOwned && !isMarkStale) return undefined;
  return { kind: 'replace', service: mended(existing, service), ...againAfter(facts) };
}

/** Not by an apply, which goes by the numbers of ports: ours would come to stand beside a wrong one of the same name. */
function mended({ metadata = {}, spec = {} }: V1Service, wanted: V1Service): V1Service {
  const { [UNCLAIMED_SINCE_KEY]: _mark, ...annotations } = metadata.annotations ?? {};
  const { externalName: _externalName, ...kept } = spec;
  return {
    ...wanted,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...wanted.metadata?.labels },
      annotations: { ...annotations, ...wanted.metadata?.annotations },
    },
    spec: { ...kept, ...wanted.spec },
  };
}

function againAfter(facts: ServiceFacts): { readonly againInMs?: number } {
  return facts.isClaimed || facts.existing === undefined ? {} : { againInMs: leftMs(facts) };
}

/** How long a Service that nobody claims is still kept. */
function leftMs(facts: ServiceFacts): number {
  return unclaimedSinceMs(facts) + UNCLAIMED_KEPT_MS - facts.nowMs;
}

/** Written on the object, so that it outlives whoever leads. Now, where it says nothing of use, or the future. */
function unclaimedSinceMs({ existing, nowMs }: ServiceFacts): number {
  const since = Date.parse(existing?.metadata?.annotations?.[UNCLAIMED_SINCE_KEY] ?? '');
  return since <= nowMs ? since : nowMs;
}

/** All of it that is ours, without the owner, whose uid is looked up when it is written. */
export function wantedService(facts: ServiceFacts): V1Service {
  const { target, isClaimed } = facts;
  const annotations = isClaimed ? {} : { [UNCLAIMED_SINCE_KEY]: new Date(unclaimedSinceMs(facts)).toISOString() };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: serviceName(target.app),
      namespace: target.namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [APP_ID_KEY]: target.app },
      ...(isClaimed ? {} : { annotations }),
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: HEADLESS,
      ipFamilyPolicy: 'PreferDualStack',
      publishNotReadyAddresses: false,
      selector: { [APP_ID_KEY]: target.app },
      ports: [
        { name: PEER_PORT_NAME, port: PORTS.peer, targetPort: PEER_PORT_NAME, protocol: 'TCP', appProtocol: 'tls' },
      ],
    },
  };
}
