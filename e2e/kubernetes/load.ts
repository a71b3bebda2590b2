// Steady calls from a pod that runs app.mjs, at a rate and on connections that are kept, and what became of them.
import { control, type Pod } from './apps.ts';
import { until } from './kubectl.ts';

export interface Load {
  readonly made: number;
  readonly ok: number;
  readonly inFlight: number;
  readonly failures: number;
  /** The first fifty of them. */
  readonly failed: readonly FailedCall[];
  /** Ten of those that went well, the slowest first. */
  readonly slowest: readonly { readonly at: string; readonly tookMs: number; readonly pod: string }[];
  /** By pod: how many calls it answered. */
  readonly answered: Readonly<Record<string, number>>;
  /** By pod: when it last answered, epoch milliseconds of the calling pod. */
  readonly lastSeen: Readonly<Record<string, number>>;
  /** That were opened to the caller's sidecar. */
  readonly connections: number;
  readonly nowMs: number;
}

export interface FailedCall {
  readonly at: string;
  readonly tookMs: number;
  /** 0: no answer. */
  readonly status: number;
  readonly fault?: string;
  readonly body: string;
}

export interface LoadOptions {
  readonly method?: string;
  readonly perSecond?: number;
  readonly path?: string;
}

/** 100 GETs a second, unless told otherwise. */
export async function startLoad(where: string, pod: string, target: string, options: LoadOptions = {}): Promise<void> {
  const { method = 'GET', perSecond = 100, path = 'x' } = options;
  const asked = { method, perSecond: String(perSecond), path: `/v1.0/invoke/${target}/method/${path}` };
  await control(where, pod, `load/start?${new URLSearchParams(asked)}`);
}

export function loadSoFar(where: string, pod: string): Promise<Load> {
  return control(where, pod, 'load');
}

/** Returns once every call has ended. */
export function stopLoad(where: string, pod: string): Promise<Load> {
  return control(where, pod, 'load/stop');
}

/** Waits until so many more calls went well. */
export async function moreCalls(where: string, pod: string, count: number): Promise<Load> {
  const { ok } = await loadSoFar(where, pod);
  return until(`${count} more calls`, async () => {
    const load = await loadSoFar(where, pod);
    return load.ok >= ok + count && load;
  });
}

/** How many calls have come in at each of these pods' apps, by the apps' own counts. */
export async function servedBy(where: string, pods: readonly Pod[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { metadata } of pods) {
    const { served } = await control<{ served: number }>(where, metadata.name, 'served');
    counts.set(metadata.name, served);
  }
  return counts;
}

export async function servedInAll(where: string, pods: readonly Pod[]): Promise<number> {
  return [...(await servedBy(where, pods)).values()].reduce((all, served) => all + served, 0);
}
