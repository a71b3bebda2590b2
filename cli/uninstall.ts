// `invokectl uninstall`: takes the chart away, and says what stays in the cluster and how to take that away too.
//
// What stays is the user's to judge: annotations that were copied into templates, and sidecars in pods that run. Changing
// either restarts apps, so it is listed here and done by nobody.
import { spawn } from 'node:child_process';
import { COPIED_KEY, SIDECAR_CONTAINER } from '../api/pod.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Answered, Kube } from '../kube/kube.ts';
import { JOBS, type KubernetesObject, PODS } from '../kube/types.ts';
import { templateOf, WORKLOAD_KINDS, type Workload } from '../kube/workload.ts';
import { openCluster } from './cluster.ts';
import { EXIT, type Host, say } from './host.ts';

export interface UninstallSettings {
  /** Of the control plane. */
  readonly namespace: string;
  readonly release: string;
  readonly isDryRun: boolean;
}

export async function uninstallCommand(settings: UninstallSettings, host: Host): Promise<number> {
  const opened = openCluster({}, host);
  if (!opened.ok) return failed(host, opened.error);
  // Before anything is taken away: a cluster that cannot be read is not to be left half done.
  const found = await leftBehind(opened.value);
  if (!found.ok) return failed(host, `the cluster cannot be read: ${found.error.message}`);
  if (!settings.isDryRun) {
    const removed = await helmUninstall(settings, host);
    if (!removed.ok) return failed(host, removed.error);
  }
  host.stdout.write(report(found.value, settings));
  return EXIT.ok;
}

function failed(host: Host, message: string): number {
  say(host, message);
  return EXIT.failed;
}

/** What nobody but its owner should change. */
export interface LeftBehind {
  /** Workloads whose template got annotations from their own metadata: `deployment/web`, and which. */
  readonly copied: readonly { readonly namespace: string; readonly name: string; readonly keys: readonly string[] }[];
  /** Pods that run a sidecar until they are restarted. */
  readonly meshed: readonly { readonly namespace: string; readonly name: string }[];
}

/** The template of a Job that is there cannot be changed. */
const LASTING_KINDS = WORKLOAD_KINDS.filter((kind) => kind !== JOBS);

export async function leftBehind(kube: Kube): Answered<LeftBehind> {
  const copied: LeftBehind['copied'][number][] = [];
  for (const kind of LASTING_KINDS) {
    const listed = await kube.list(kind);
    if (!listed.ok) return listed;
    for (const workload of listed.value.items) {
      const keys = copiedKeys(workload);
      if (keys.length > 0)
        copied.push({ ...placeOf(workload), name: `${kind.kind.toLowerCase()}/${nameOf(workload)}`, keys });
    }
  }
  const pods = await kube.list(PODS);
  if (!pods.ok) return pods;
  const meshed = pods.value.items.filter(hasSidecar).map((pod) => ({ ...placeOf(pod), name: nameOf(pod) }));
  return ok({ copied, meshed });
}

function copiedKeys(workload: Workload): readonly string[] {
  const marker = templateOf(workload)?.metadata?.annotations?.[COPIED_KEY] ?? '';
  return marker.split(',').filter((key) => key !== '');
}

type Pod = NonNullable<(typeof PODS)['object']>;

function hasSidecar({ spec, status }: Pod): boolean {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return !isOver && (spec?.initContainers ?? []).some(({ name }) => name === SIDECAR_CONTAINER);
}

function placeOf({ metadata }: KubernetesObject): { readonly namespace: string } {
  return { namespace: metadata?.namespace ?? '' };
}

function nameOf({ metadata }: KubernetesObject): string {
  return metadata?.name ?? '';
}

function helmUninstall({ release, namespace }: UninstallSettings, host: Host): Promise<Result<void>> {
  const args = ['uninstall', release, '--namespace', namespace, '--wait', '--ignore-not-found'];
  return new Promise((settle) => {
    const helm = spawn('helm', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    helm.stdout.pipe(host.stdout, { end: false });
    helm.stderr.pipe(host.stderr, { end: false });
    helm.once('error', (error) =>
      settle(
        err(`helm could not be started: ${messageOf(error)}; install helm, or run elsewhere: helm ${args.join(' ')}`),
      ),
    );
    helm.once('close', (status) =>
      settle(status === 0 ? ok(undefined) : err(`helm did not take ${release} away; its own words stand above`)),
    );
  });
}

function report({ copied, meshed }: LeftBehind, { namespace, isDryRun }: UninstallSettings): string {
  const verb = isDryRun ? 'Would stay' : 'Stays';
  const lines = [
    `${verb}, because your data hangs on it:`,
    `  namespace/${namespace}, secret/invoke-ca (unless the chart had ca.keep=false), the three CRDs with all objects of theirs`,
    `    kubectl delete namespace ${namespace}`,
    '    kubectl delete crd accesspolicies.invoke.io resiliencies.invoke.io namespacepolicies.invoke.io httpendpoints.invoke.io',
  ];
  if (copied.length > 0)
    lines.push(`${verb}, because taking it away restarts the app: annotations copied into templates`);
  for (const { namespace: where, name, keys } of copied) {
    const gone = [...keys, COPIED_KEY].map((key) => ({ op: 'remove', path: `${templatePath(name)}/${escaped(key)}` }));
    lines.push(
      `  ${where}/${name}: ${keys.join(', ')}`,
      `    kubectl patch -n ${where} ${name} --type=json -p '${JSON.stringify(gone)}'`,
    );
  }
  if (meshed.length > 0) lines.push(`${verb} until the pod is restarted: a sidecar`);
  for (const { namespace: where, name } of meshed) lines.push(`  ${where}/pod/${name}`);
  return `${lines.join('\n')}\n`;
}

function templatePath(name: string): string {
  const template = name.startsWith('cronjob/') ? '/spec/jobTemplate/spec/template' : '/spec/template';
  return `${template}/metadata/annotations`;
}

/** As a step of a JSON Pointer (RFC 6901). */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
