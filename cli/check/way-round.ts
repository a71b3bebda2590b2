// At which ports a pod may be called past its sidecar, as far as that can be seen from outside of it: what its containers declare, what
// Services send there, and what NetworkPolicies admit. On which address the app listens nobody can see from there.
import { MANAGED_BY, MANAGED_BY_LABEL, SIDECAR_CONTAINER } from '../../api/pod.ts';
import type { NetworkPolicy, Pod, Service } from './facts.ts';
import { hasAll, selects } from './selectors.ts';

/** A way past the sidecar. */
export interface OpenPort {
  readonly port: number;
  /** How one comes to know of the port: `declared by the container app`. */
  readonly seenBy: readonly string[];
  /** What lets others in. */
  readonly because: string;
}

type Containers = NonNullable<Pod['spec']>['containers'];

/** `services` and `networkPolicies` of its namespace. */
export function openPorts(
  pod: Pod,
  services: readonly Service[],
  networkPolicies: readonly NetworkPolicy[],
): readonly OpenPort[] {
  return [...portsOfApp(pod, services)].flatMap(([port, seenBy]) => {
    const because = whyAdmitted(pod, port, networkPolicies);
    return because === undefined ? [] : [{ port, seenBy, because }];
  });
}

function containersOf({ spec }: Pod): Containers {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

/** Declared ones of TCP, by number. */
function declared(containers: Containers): Map<number, string> {
  const ports = containers.flatMap(({ name, ports = [] }) => ports.map((port) => ({ ...port, container: name })));
  const tcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return new Map(tcp.map(({ containerPort, container }) => [containerPort, container]));
}

function portsOfApp(pod: Pod, services: readonly Service[]): Map<number, string[]> {
  const containers = containersOf(pod);
  const sidecars = declared(containers.filter(({ name }) => name === SIDECAR_CONTAINER));
  const found = new Map<number, string[]>();
  const see = (port: number, by: string) => {
    if (!sidecars.has(port)) found.set(port, [...(found.get(port) ?? []), by]);
  };
  for (const [port, container] of declared(containers)) see(port, `declared by the container ${container}`);
  for (const service of services.filter((one) => sendsTo(one, pod))) {
    const targets = (service.spec?.ports ?? []).flatMap((port) => targetOf(port, pod));
    for (const port of new Set(targets)) see(port, `the Service ${service.metadata?.name} sends there`);
  }
  return found;
}

function sendsTo({ metadata, spec }: Service, pod: Pod): boolean {
  const selector = spec?.selector ?? {};
  const isOurs = metadata?.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
  const isSelecting = Object.keys(selector).length > 0 && spec?.type !== 'ExternalName';
  return !isOurs && isSelecting && hasAll(selector, pod.metadata?.labels ?? {});
}

type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

function targetOf({ protocol = 'TCP', port, targetPort = port }: ServicePort, pod: Pod): number[] {
  if (protocol !== 'TCP') return [];
  return typeof targetPort === 'string' ? portNamed(targetPort, pod) : [targetPort];
}

function portNamed(wanted: string, pod: Pod): number[] {
  return containersOf(pod).flatMap(({ ports = [] }) =>
    ports.filter(({ name }) => name === wanted).map(({ containerPort }) => containerPort),
  );
}

/** Undefined: nobody is let in. */
function whyAdmitted(pod: Pod, port: number, networkPolicies: readonly NetworkPolicy[]): string | undefined {
  if (pod.spec?.hostNetwork === true) return "it is on its node's network, which no NetworkPolicy is about";
  const selecting = networkPolicies.filter(
    ({ spec }) =>
      (spec?.policyTypes ?? ['Ingress']).includes('Ingress') &&
      selects(spec?.podSelector ?? {}, pod.metadata?.labels ?? {}),
  );
  if (selecting.length === 0) return 'no NetworkPolicy selects it';
  const admitting = selecting.find(({ spec }) => spec?.ingress?.some((rule) => admits(rule, port, pod)));
  if (admitting === undefined) return undefined;
  const isForAll = admitting.spec?.ingress?.some((rule) => admits(rule, port, pod) && isForEverybody(rule));
  return `the NetworkPolicy ${admitting.metadata?.name} lets ${isForAll ? 'everybody' : 'some'} in`;
}

type Rule = NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number];

/** The client's types have another name for the field, which has `from` in JSON. */
function isForEverybody(rule: Rule): boolean {
  return !('from' in rule && Array.isArray(rule.from) && rule.from.length > 0);
}

function admits({ ports = [] }: Rule, port: number, pod: Pod): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ protocol = 'TCP', port: first, endPort }) => {
    if (protocol !== 'TCP') return false;
    if (first === undefined) return true;
    if (typeof first === 'string') return portNamed(first, pod).includes(port);
    return port >= first && port <= (endPort ?? first);
  });
}
