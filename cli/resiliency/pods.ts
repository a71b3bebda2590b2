// What the sidecars of a cluster's pods say in their metrics about trouble with those that they call. Metrics know how many and not
// which: for addresses and times one sidecar has to be asked by itself.
import { unescapeLabel } from '../../kit/metrics.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { printable } from '../../kit/text.ts';
import type { Kube } from '../../kube/kube.ts';
import { askInTurns } from '../ask-in-turns.ts';
import { type MeshedPod, meshedPods, podMetrics } from '../pod-metrics.ts';
import type { RecordScope } from '../records.ts';
import { columns } from '../table.ts';

export interface PodReport {
  /** `namespace/name` */
  readonly pod: string;
  readonly appId: string;
  readonly targets: readonly PodTarget[];
}

export interface PodTarget {
  readonly target: string;
  readonly instances: number;
  readonly ejected: number;
  /** From 0 to 1. */
  readonly budgetLeft: number;
  /** `route`: empty for all of those outside of routes. */
  readonly breakers: readonly { readonly route: string; readonly state: string; readonly count: number }[];
}

export interface PodReports {
  readonly reports: readonly PodReport[];
  /** A sentence for each sidecar that could not be read. */
  readonly problems: readonly string[];
}

export async function podReports(
  kube: Kube,
  namespace: RecordScope,
  apps: readonly string[],
): Promise<Result<PodReports>> {
  const pods = await meshedPods(kube, namespace);
  if (!pods.ok) return pods;
  const wanted = pods.value.filter(({ appId }) => apps.length === 0 || apps.includes(appId));
  const absent = apps.filter((app) => wanted.every(({ appId }) => appId !== app));
  if (absent.length > 0) return err(`no pod of ${absent.join(', ')} runs there`);
  const { answers, problems } = await askInTurns(wanted, async (pod) => reportOf(pod, await podMetrics(kube, pod)));
  return ok({ reports: answers, problems });
}

function reportOf({ namespace, name, appId }: MeshedPod, page: Result<string>): Result<PodReport> {
  return page.ok ? ok({ pod: `${namespace}/${name}`, appId, targets: targetsIn(page.value) }) : page;
}

const SERIES = /^invoke_(breakers|instances|instances_ejected|retry_budget_left_ratio)\{(.*)\} (\S+)$/gm;

function targetsIn(metrics: string): readonly PodTarget[] {
  const targets = new Map<string, { -readonly [Field in keyof PodTarget]: PodTarget[Field] }>();
  for (const [, what, labels = '', text] of metrics.matchAll(SERIES)) {
    const { peer = '', route = '', state = '' } = labelsIn(labels);
    const value = Number(text);
    const one = targets.get(peer) ?? { target: peer, instances: 0, ejected: 0, budgetLeft: 1, breakers: [] };
    targets.set(peer, one);
    if (what === 'instances') one.instances = value;
    else if (what === 'instances_ejected') one.ejected = value;
    else if (what === 'retry_budget_left_ratio') one.budgetLeft = value;
    else if (value > 0) one.breakers = [...one.breakers, { route, state, count: value }];
  }
  return [...targets.values()];
}

function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, unescapeLabel(value)]));
}

/** Troubles alone: a cluster has many pods. */
export function podTable({ reports }: PodReports): string {
  const rows = reports.flatMap(({ pod, targets }) =>
    targets.flatMap((one) => troubles(one).map(([what, state]) => [pod, one.target, what, state].map(printable))),
  );
  const asked = `${reports.length} sidecars were asked`;
  if (rows.length === 0) return `${asked}: none has an open breaker, an ejected instance or a spent budget\n`;
  return `${columns([['POD', 'TARGET', 'WHAT', 'STATE'], ...rows])}\n${asked}; those that are not shown have no trouble.\n`;
}

function troubles({ instances, ejected, budgetLeft, breakers }: PodTarget): readonly (readonly [string, string])[] {
  const bad = breakers.filter(({ state }) => state !== 'closed');
  return [
    ...bad.map(({ route, state, count }) =>
      route === ''
        ? (['breakers outside of routes', `${count} ${state}`] as const)
        : ([`breaker of route ${route}`, state] as const),
    ),
    ...(ejected > 0 ? [['instances', `${ejected} of ${instances} ejected`] as const] : []),
    ...(budgetLeft < SPENT ? [['retry budget', `${Math.floor(budgetLeft * 100)}% left`] as const] : []),
  ];
}

/** Of a budget that has less left than this, most is spent. */
const SPENT = 0.25;
