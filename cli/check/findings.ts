// What is not as it should be in a cluster, from what was read of it. Pure.

import { parseAppId } from '../../api/ids.ts';
import { APP_ID_KEY, GROUP, networkPolicyName, SIDECAR_CONTAINER } from '../../api/pod.ts';
import type { Condition } from '../../api/resources/status.ts';
import type { ClusterFacts, NetworkPolicy, Pod } from './facts.ts';
import { type OpenPort, openPorts } from './way-round.ts';

export type Problem = 'not-installed' | 'way-round' | 'no-sidecar' | 'other-version' | 'not-accepted' | 'not-in-effect';

export interface Finding {
  readonly problem: Problem;
  /** Empty for what belongs to the cluster. */
  readonly namespace: string;
  /** `app orders`, `pod web-1`, `AccessPolicy orders`. */
  readonly about: string;
  readonly why: string;
}

/** What is to be done about each; said once. */
export const ADVICE: Readonly<Record<Problem, string>> = {
  'not-installed': 'install the chart, or name its namespace with --control-plane; versions were not compared',
  'way-round':
    'if the app listens on the address of its pod, whoever gets there calls it past its sidecar: let it listen on 127.0.0.1 alone, or set ' +
    'directTraffic: deny in the NamespacePolicy',
  'no-sidecar':
    'the pod asked for a sidecar and runs without: kubectl delete pod, and what made it makes it anew with one',
  'other-version': 'restart what made the pods, once: kubectl rollout restart',
  'not-accepted': 'correct the object; until then no sidecar is given it',
  'not-in-effect': 'what it promises is not kept, or not all of it; the reason says what',
};

export function findingsIn(facts: ClusterFacts): readonly Finding[] {
  return [
    ...notInstalled(facts),
    ...wayRound(facts),
    ...facts.pods.filter(isLive).flatMap((pod) => [...withoutSidecar(pod), ...otherVersion(pod, facts.sidecarImage)]),
    ...facts.resources.flatMap(ofResource),
  ];
}

/** What nobody can know who asks the API alone. */
export function notesOn({ namespacePolicies }: ClusterFacts): readonly string[] {
  const isDenied = namespacePolicies.some(({ spec }) => spec.directTraffic === 'deny');
  return [
    'An app that declares no port may listen on the address of its pod all the same: nobody can see that from outside of the pod.',
    ...(isDenied
      ? [
          'directTraffic: deny holds where the network plug-in of the cluster enforces NetworkPolicies, and no API says whether it does; ' +
            'docs/access.md says how to try it.',
        ]
      : []),
  ];
}

function notInstalled({ sidecarImage }: ClusterFacts): readonly Finding[] {
  if (sidecarImage !== undefined) return [];
  const why = 'there is no such Deployment, or it does not say what sidecars run';
  return [{ problem: 'not-installed', namespace: '', about: 'deployment invoke-operator', why }];
}

function isLive({ metadata, status }: Pod): boolean {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return !isOver && metadata?.deletionTimestamp === undefined;
}

function sidecarOf({ spec }: Pod) {
  return spec?.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
}

/** Pods of one app are told as one. */
function wayRound(facts: ClusterFacts): readonly Finding[] {
  const meshed = facts.pods.filter((pod) => isLive(pod) && sidecarOf(pod) !== undefined);
  const apps = Map.groupBy(meshed, ({ metadata }) => `${metadata?.namespace}/${metadata?.labels?.[APP_ID_KEY]}`);
  return [...apps.values()].flatMap((pods) => wayRoundApp(pods, facts));
}

function wayRoundApp(pods: readonly Pod[], facts: ClusterFacts): readonly Finding[] {
  const { namespace = '', labels } = pods[0]?.metadata ?? {};
  const app = labels?.[APP_ID_KEY] ?? '';
  const about = `app ${app}`;
  const here = <T extends Pick<NetworkPolicy, 'metadata'>>(objects: readonly T[]) =>
    objects.filter(({ metadata }) => metadata?.namespace === namespace);
  const [services, networkPolicies] = [here(facts.services), here(facts.networkPolicies)];
  const open = pods.flatMap((pod) => openPorts(pod, services, networkPolicies));
  const whys = new Set([...open.map(wordsOf), ...unkept(app, namespace, networkPolicies, facts)]);
  return [...whys].map((why) => ({ problem: 'way-round', namespace, about, why }));
}

function wordsOf({ port, seenBy, because }: OpenPort): string {
  return `port ${port}: ${seenBy.join(', ')}; ${because}`;
}

function unkept(
  app: string,
  namespace: string,
  networkPolicies: readonly NetworkPolicy[],
  { namespacePolicies }: ClusterFacts,
): readonly string[] {
  const policy = namespacePolicies.find(({ metadata }) => metadata.name === namespace);
  const id = parseAppId(app);
  if (policy?.spec.directTraffic !== 'deny' || !id.ok) return [];
  const name = networkPolicyName(id.value);
  const isKept = networkPolicies.some(
    ({ metadata }) => metadata?.name === name && metadata.labels?.[APP_ID_KEY] === app,
  );
  return isKept ? [] : [`directTraffic is denied, and the operator's NetworkPolicy ${name} is not there`];
}

function withoutSidecar(pod: Pod): readonly Finding[] {
  const { annotations = {}, namespace = '', name } = pod.metadata ?? {};
  const app = annotations[APP_ID_KEY];
  if (app === undefined || sidecarOf(pod) !== undefined) return [];
  return [
    { problem: 'no-sidecar', namespace, about: `pod ${name}`, why: `it has ${APP_ID_KEY}: ${app}, and no sidecar` },
  ];
}

function otherVersion(pod: Pod, installed: string | undefined): readonly Finding[] {
  const image = sidecarOf(pod)?.image;
  if (image === undefined || installed === undefined || image === installed) return [];
  const { annotations = {}, namespace = '', name } = pod.metadata ?? {};
  const isAsked = annotations[`${GROUP}/sidecar-image`] === image;
  const why = `its sidecar is ${image}${isAsked ? ', as its annotation says' : ''}; installed is ${installed}`;
  return [{ problem: 'other-version', namespace, about: `pod ${name}`, why }];
}

function ofResource({ kind, resource }: ClusterFacts['resources'][number]): readonly Finding[] {
  const { metadata, status } = resource;
  const finding = (problem: Problem, why: string): Finding[] => [
    { problem, namespace: metadata.namespace ?? '', about: `${kind} ${metadata.name}`, why },
  ];
  const said = (type: string): Condition | undefined => status?.conditions?.find((one) => one.type === type);
  if (said('Accepted') === undefined || status?.observedGeneration !== (metadata.generation ?? 0))
    return finding('not-accepted', 'the operator has not looked at it as it is now');
  const [accepted, programmed] = [said('Accepted'), said('Programmed')];
  if (accepted?.status !== 'True') return finding('not-accepted', accepted?.message ?? '');
  return programmed?.status === 'True' ? [] : finding('not-in-effect', programmed?.message ?? '');
}
