// Reasons for which a pod cannot take a sidecar as it is: each says what collides, and what to write instead.
import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import {
  type Annotations,
  annotationKey,
  type SidecarPortName,
  type SidecarSettings,
  sidecarPorts,
} from '../../api/annotations.ts';
import { APP_ID_KEY, METRICS_PORT_NAME, PEER_PORT_NAME, SIDECAR_CONTAINER } from '../../api/pod.ts';
import { SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { probeMistakes } from './app-probes.ts';
import { VOLUMES } from './sidecar-container.ts';

const OWN_VOLUMES: readonly string[] = Object.values(VOLUMES);
const OWN_PORT_NAMES: readonly string[] = [PEER_PORT_NAME, METRICS_PORT_NAME];

/** The sidecar that an earlier call of the webhook added; reinvocation sees it. */
export function ownSidecar(spec: V1PodSpec | undefined): V1Container | undefined {
  return spec?.initContainers?.find(isOwn);
}

function isOwn({ name, env }: V1Container): boolean {
  return name === SIDECAR_CONTAINER && env?.some((variable) => variable.name === SIDECAR_VARIABLE) === true;
}

/** All containers but ours. */
function othersOf(spec: V1PodSpec | undefined): readonly V1Container[] {
  return [...(spec?.initContainers ?? []).filter((container) => !isOwn(container)), ...(spec?.containers ?? [])];
}

export function podMistakes(pod: V1Pod, settings: SidecarSettings): readonly string[] {
  const { metadata, spec } = pod;
  return [
    ...labelMistakes(metadata?.labels?.[APP_ID_KEY], settings),
    ...containerMistakes(spec, settings),
    ...volumeMistakes(spec),
    ...probeMistakes(pod, settings),
    ...(spec?.hostNetwork === true ? hostNetworkMistakes(metadata?.annotations ?? {}, settings) : []),
  ];
}

/** Changing it here would take the pod out of the selector of whatever made it, which would make pods without end. */
function labelMistakes(label: string | undefined, { appId }: SidecarSettings): readonly string[] {
  if (label === undefined || label === appId) return [];
  return [
    `the label ${APP_ID_KEY} is "${label}" and the annotation is "${appId}"; take the label away, it is set for you`,
  ];
}

function containerMistakes(spec: V1PodSpec | undefined, settings: SidecarSettings): readonly string[] {
  const ours = new Map([...sidecarPorts(settings)].map(([name, port]) => [port, name]));
  return othersOf(spec).flatMap((container) => {
    if (container.name === SIDECAR_CONTAINER) {
      return [`a container is called "${SIDECAR_CONTAINER}", which is the sidecar's name; call it something else`];
    }
    const ports = (container.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
    return [
      ...ports.flatMap(({ containerPort }) => portMistake(container.name, containerPort, ours.get(containerPort))),
      ...ports.flatMap(({ name = '' }) => portNameMistake(container.name, name)),
      ...(container.volumeMounts ?? []).flatMap(({ name }) => mountMistake(container.name, name)),
    ];
  });
}

function portMistake(container: string, port: number, taken: SidecarPortName | undefined): readonly string[] {
  if (taken === undefined) return [];
  const key = annotationKey(taken);
  return [
    `the container "${container}" declares port ${port}, which the sidecar takes; move the sidecar's with ${key}`,
  ];
}

function portNameMistake(container: string, name: string): readonly string[] {
  if (!OWN_PORT_NAMES.includes(name)) return [];
  return [`the container "${container}" names a port "${name}", by which the sidecar is found; call it something else`];
}

function mountMistake(container: string, volume: string): readonly string[] {
  if (!OWN_VOLUMES.includes(volume)) return [];
  return [`the container "${container}" mounts the volume "${volume}", which is for the sidecar alone`];
}

function volumeMistakes(spec: V1PodSpec | undefined): readonly string[] {
  if (ownSidecar(spec) !== undefined) return [];
  const taken = (spec?.volumes ?? []).filter(({ name }) => OWN_VOLUMES.includes(name));
  return taken.map(({ name }) => `a volume is called "${name}", as one of the sidecar's; call it something else`);
}

/** There, loopback is shared with every process of the node, and ports with every other such pod. */
function hostNetworkMistakes(annotations: Annotations, settings: SidecarSettings): readonly string[] {
  const asked = [annotationKey('apiTokenSecret'), ...(settings.appPort ? [annotationKey('appTokenSecret')] : [])];
  const tokens = asked.filter((key) => annotations[key] === undefined);
  const ports = [...sidecarPorts(settings).keys()].map(annotationKey).filter((key) => annotations[key] === undefined);
  return [
    ...(tokens.length === 0
      ? []
      : [
          `the pod uses the host's network, where every process of the node could call in the app's name; name a Secret ` +
            `with a token in ${tokens.join(' and in ')}`,
        ]),
    ...(ports.length === 0
      ? []
      : [`the pod uses the host's network, so its ports have to be chosen; write ${ports.join(', ')}`]),
  ];
}
