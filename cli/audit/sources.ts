// Where the numbers of `invokectl policy audit` come from: the metrics of each sidecar, of a cluster or of this machine. That one cannot
// be read is said, and the others are read all the same.
import type { Namespace } from '../../api/ids.ts';
import { APP_ID_KEY, METRICS_PORT_NAME, SIDECAR_CONTAINER } from '../../api/pod.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import type { Kube } from '../../kube/kube.ts';
import { PODS } from '../../kube/types.ts';
import type { Host } from '../host.ts';
import { readRecords } from '../records.ts';
import { type AuditCount, countsIn } from './counts.ts';

export interface AuditFacts {
  /** Of a cluster: its policies in audit mode, and when the last call was seen that each would have denied. */
  readonly policies: readonly AuditedPolicy[] | undefined;
  /** How many sidecars could be read. */
  readonly sidecars: number;
  readonly counts: readonly AuditCount[];
  /** A sentence for each sidecar that could not be read. */
  readonly problems: readonly string[];
}

export interface AuditedPolicy {
  /** `namespace/policy` */
  readonly name: string;
  readonly lastDeniedTime: string | undefined;
}

type Pod = NonNullable<(typeof PODS)['object']>;

/** Sidecars that are asked at once. */
const AT_ONCE = 16;
const TIMEOUT_MS = 5000;

export async function clusterFacts(kube: Kube, namespace: Namespace | undefined): Promise<Result<AuditFacts>> {
  const scope = namespace === undefined ? {} : { namespace };
  const policies = await kube.list(ACCESS_POLICIES, scope);
  if (!policies.ok) return err(policies.error.message);
  const audited = policies.value.items.filter(({ spec }) => spec.mode === 'audit').map(auditedPolicy);
  if (audited.length === 0) return ok({ policies: audited, sidecars: 0, counts: [], problems: [] });
  const pods = await kube.list(PODS, { ...scope, labelSelector: APP_ID_KEY });
  if (!pods.ok) return err(pods.error.message);
  const read = await inTurns(pods.value.items.filter(isRunning), (pod) => podCounts(kube, pod));
  const names = new Set(audited.map(({ name }) => name));
  // A sidecar goes on counting what it counted of a policy that is enforced by now.
  const counts = read.flatMap((one) => (one.ok ? one.value : [])).filter(({ policy }) => names.has(policy));
  return ok({ policies: audited, counts, ...outcomes(read) });
}

export async function localFacts(namespace: Namespace | undefined, host: Host): Promise<Result<AuditFacts>> {
  const records = await readRecords(namespace, host);
  if (!records.ok) return records;
  const read = await inTurns(records.value, async ({ appId, namespace: place, metricsPort }) => {
    const app = `${appId}.${place}`;
    if (metricsPort === undefined) return err(`${app} serves no metrics`);
    const page = await fetchPage(`http://127.0.0.1:${metricsPort}/metrics`);
    return page.ok ? ok(countsIn(page.value, app)) : err(`the metrics of ${app} cannot be read: ${page.error}`);
  });
  return ok({ policies: undefined, counts: read.flatMap((one) => (one.ok ? one.value : [])), ...outcomes(read) });
}

function auditedPolicy({ metadata, status }: NonNullable<(typeof ACCESS_POLICIES)['object']>): AuditedPolicy {
  return { name: `${metadata.namespace}/${metadata.name}`, lastDeniedTime: status?.audit?.lastDeniedTime };
}

function isRunning({ status }: Pod): boolean {
  return status?.phase === 'Running';
}

async function podCounts(kube: Kube, { metadata, spec }: Pod): Promise<Result<readonly AuditCount[]>> {
  const { name = '', namespace = '', labels = {} } = metadata ?? {};
  const sidecar = spec?.initContainers?.find((container) => container.name === SIDECAR_CONTAINER);
  const port = sidecar?.ports?.find((one) => one.name === METRICS_PORT_NAME)?.containerPort;
  if (port === undefined) return err(`the pod ${namespace}/${name} has no sidecar with metrics`);
  const page = await kube.podPage({ namespace, name, port }, '/metrics');
  return page.ok ? ok(countsIn(page.value, `${labels[APP_ID_KEY]}.${namespace}`)) : err(page.error.message);
}

async function fetchPage(url: string): Promise<Result<string>> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.ok ? ok(await answer.text()) : err(`${url} answers ${answer.status}`);
  } catch (error) {
    return err(`${url}: ${messageOf(error)}`);
  }
}

function outcomes(read: readonly Result<unknown>[]): Pick<AuditFacts, 'sidecars' | 'problems'> {
  const problems = read.flatMap((one) => (one.ok ? [] : [one.error]));
  return { sidecars: read.length - problems.length, problems };
}

async function inTurns<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<readonly U[]> {
  const done: U[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    done.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  }
  return done;
}
