// Where the instances of an app are, and in what state: what DNS cannot say of them.
import type { V1Pod } from '@kubernetes/client-node';
import type { Target } from '../../api/ids.ts';
import { APP_ID_KEY, PEER_PORT_NAME, SIDECAR_CONTAINER } from '../../api/pod.ts';
import type { FeedEndpoint, FeedEndpoints } from '../../api/proto/feed.ts';

export interface EndpointFacts {
  /** Whether a workload or a pod claims the app id. */
  readonly isClaimed: boolean;
  /** Of the pods' store. */
  readonly version: number;
  /** Empty where the node is not known, or has none. */
  readonly zoneOf: (node: string) => string;
}

/** A message has room for these with all their labels. Beyond, those that are ready come first. */
const ENDPOINTS_MAX = 5000;
/** By labels a caller picks a subset; the rest of what people write there does not have to travel. */
const LABELS_MAX = 32;
const LABEL_CHARACTERS_MAX = 1024;

/** `pods` are the live ones of the app. The order is fixed, so that equal pods make equal bytes. */
export function compileEndpoints(target: Target, pods: readonly V1Pod[], facts: EndpointFacts): FeedEndpoints {
  const all = pods
    .flatMap((pod) => endpointOf(pod, facts.zoneOf))
    .toSorted((a, b) => Number(b.ready) - Number(a.ready) || (a.pod < b.pod ? -1 : 1));
  return {
    app: { appId: target.app, namespace: target.namespace },
    isClaimed: facts.isClaimed,
    endpoints: all.slice(0, ENDPOINTS_MAX),
    version: facts.version,
  };
}

/** None before it has an address, and none without a sidecar of ours. */
function endpointOf(pod: V1Pod, zoneOf: (node: string) => string): FeedEndpoint[] {
  const address = pod.status?.podIP;
  const port = peerPortOf(pod);
  if (address === undefined || port === undefined) return [];
  // As in an EndpointSlice: a pod that is going may still serve.
  const serving = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  return [
    {
      address,
      port,
      ready: serving && !terminating,
      serving,
      terminating,
      zone: zoneOf(pod.spec?.nodeName ?? ''),
      pod: pod.metadata?.name ?? '',
      labels: boundedLabels(pod.metadata?.labels ?? {}),
    },
  ];
}

function peerPortOf({ spec }: V1Pod): number | undefined {
  const sidecar = spec?.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
  return sidecar?.ports?.find(({ name }) => name === PEER_PORT_NAME)?.containerPort;
}

/** In the order of their keys, as far as they fit. */
function boundedLabels(labels: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const bounded = new Map<string, string>();
  let characters = 0;
  for (const [key, value] of Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    // Everybody here knows the app id.
    if (key === APP_ID_KEY) continue;
    characters += key.length + value.length;
    if (bounded.size === LABELS_MAX || characters > LABEL_CHARACTERS_MAX) break;
    bounded.set(key, value);
  }
  return bounded;
}
