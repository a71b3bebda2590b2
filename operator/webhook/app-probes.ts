// Probes of the pod's containers that the sidecar is to do: the kubelet, which comes to the pod's address, reaches no app that listens
// on loopback alone. The container's probe becomes one of the sidecar, and the sidecar is told what it was.
//
// What the kubelet does better stays as it is: what it runs in the container, what it asks of another host, and what it asks of the
// sidecar. Lifecycle hooks do, too.
import type { V1Container, V1HTTPGetAction, V1Pod, V1Probe } from '@kubernetes/client-node';
import { annotationKey, type SidecarSettings, sidecarPorts } from '../../api/annotations.ts';
import { type AppProbe, type HttpProbe, PROBE_NAMES, type ProbeName, probePage } from '../../api/app-probe.ts';
import { parsePodSidecar, SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { isFieldName, isFieldValue } from '../../wire/fields.ts';
import { isAuthority } from '../../wire/http1/bytes.ts';

export interface Rewritten {
  readonly container: V1Container;
  /** For the sidecar. */
  readonly probes: readonly AppProbe[];
}

const FIELD_OF = { liveness: 'livenessProbe', readiness: 'readinessProbe', startup: 'startupProbe' } as const;
const TIMEOUT_SEC = 1;

/** What an earlier call of the webhook told the sidecar. */
export function probesBefore(sidecar: V1Container | undefined): readonly AppProbe[] {
  const variable = sidecar?.env?.find(({ name }) => name === SIDECAR_VARIABLE);
  const read = parsePodSidecar(variable?.value);
  return read.ok ? (read.value.appProbes ?? []) : [];
}

/** `before`: probes that are rewritten already, when the API server calls again. */
export function rewriteProbes(
  container: V1Container,
  settings: SidecarSettings,
  before: readonly AppProbe[],
): Rewritten {
  if (!settings.isProbesRewritten) return { container, probes: [] };
  const rewritten: { -readonly [Field in keyof V1Container]?: V1Container[Field] } = {};
  const probes: AppProbe[] = [];
  for (const name of PROBE_NAMES) {
    const probe = container[FIELD_OF[name]];
    const ours = probe && ourProbe(probe, name, container, settings, before);
    if (probe === undefined || ours === undefined) continue;
    probes.push(ours);
    rewritten[FIELD_OF[name]] = asking(probe, ours.page, settings);
  }
  return { container: { ...container, ...rewritten }, probes };
}

function asking(probe: V1Probe, page: string, { publicPort }: SidecarSettings): V1Probe {
  const { tcpSocket: _tcpSocket, grpc: _grpc, ...times } = probe;
  return { ...times, httpGet: { path: page, port: publicPort, scheme: 'HTTP' } };
}

/** Undefined: it is left to the kubelet. */
function ourProbe(
  probe: V1Probe,
  name: ProbeName,
  container: V1Container,
  settings: SidecarSettings,
  before: readonly AppProbe[],
): AppProbe | undefined {
  const page = probePage(container.name, name);
  const { httpGet, tcpSocket, grpc } = probe;
  if (httpGet?.path === page && httpGet.port === settings.publicPort)
    return before.find((known) => known.page === page);
  const host = httpGet?.host ?? tcpSocket?.host ?? '';
  const port = portIn(container, httpGet?.port ?? tcpSocket?.port ?? grpc?.port);
  if (host !== '' || port === undefined || isSidecars(port, settings)) return undefined;
  const common = { page, port, timeoutMs: (probe.timeoutSeconds ?? TIMEOUT_SEC) * 1000 };
  if (httpGet !== undefined) return { ...common, ...httpParts(httpGet) };
  return grpc === undefined ? { ...common, kind: 'tcp' } : { ...common, kind: 'grpc', service: grpc.service ?? '' };
}

/** By the name of one of the container's ports, too. */
function portIn({ ports = [] }: V1Container, wanted: V1HTTPGetAction['port'] | undefined): number | undefined {
  if (typeof wanted !== 'string') return wanted;
  return (
    ports.find(({ name }) => name === wanted)?.containerPort ?? (/^[0-9]+$/.test(wanted) ? Number(wanted) : undefined)
  );
}

/** Its public ones the kubelet reaches by itself. The app API is the app's alone: a probe of it could call out in the app's name. */
function isSidecars(port: number, settings: SidecarSettings): boolean {
  return [...sidecarPorts(settings).values()].includes(port);
}

function httpParts({
  path = '/',
  scheme,
  httpHeaders = [],
}: V1HTTPGetAction): Omit<HttpProbe, 'page' | 'port' | 'timeoutMs'> {
  const headers = httpHeaders.map(({ name, value }) => [name.toLowerCase(), value] as const);
  return {
    kind: 'http',
    isTls: scheme === 'HTTPS',
    target: targetOf(path),
    authority: headers.findLast(([name]) => name === 'host')?.[1] ?? '',
    fields: headers.flatMap(([name, value]) => (NOT_SENT.has(name) ? [] : [name, value])),
  };
}

/** Whoever writes the request says these. */
const NOT_SENT: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'content-length', 'expect', 'keep-alive', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade'],
]);

/** As a request line takes it: a slash first, no fragment, and percent-encoded what has to be. */
function targetOf(path: string): string {
  const [target = ''] = path.toWellFormed().split('#', 1);
  return `${target.startsWith('/') ? '' : '/'}${target.replaceAll(/[^!-~]+/gu, encodeURIComponent)}`;
}

/** Of one variable, in which the sidecar is told all. */
const PROBES_CHARACTERS_MAX = 32 * 1024;

/** Why the probes cannot be done by the sidecar. */
export function probeMistakes({ spec }: V1Pod, settings: SidecarSettings): readonly string[] {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const probes = containers.flatMap((container) => rewriteProbes(container, settings, []).probes);
  const key = annotationKey('isProbesRewritten');
  if (JSON.stringify(probes).length > PROBES_CHARACTERS_MAX)
    return [
      `the probes of its containers are too long to be done by the sidecar; shorten their headers, or take ${key} away`,
    ];
  const bad = probes.filter((probe) => probe.kind === 'http' && !isWritable(probe));
  return bad.map(
    ({ page }) =>
      `the probe ${page.split('/').slice(-2).join(' ')} has a header that cannot be sent; see to its httpHeaders, or take ${key} away`,
  );
}

function isWritable({ authority, fields }: HttpProbe): boolean {
  return isAuthority(authority) && fields.every((text, i) => (i % 2 === 0 ? isFieldName(text) : isFieldValue(text)));
}
