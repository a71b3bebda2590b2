// What a leader does: looks at everything once, then at whatever changes, until it leads no more.
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { type Handled, type WorkQueue, workQueue } from '../../kube/queue.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { Reconciler } from './reconciler.ts';

export interface LeadDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: ReconcileMetrics;
}

/** Of one kind of object at once. What is slow about them is the API server. */
const CONCURRENCY = 4;

/** Settles when the signal is aborted and all that was under way has ended. */
export async function lead(reconcilers: readonly Reconciler[], signal: AbortSignal, deps: LeadDeps): Promise<void> {
  deps.metrics.leads(true);
  await Promise.all(reconcilers.map((reconciler) => run(reconciler, signal, deps)));
  deps.metrics.leads(false);
}

async function run(reconciler: Reconciler, signal: AbortSignal, deps: LeadDeps): Promise<void> {
  const { name } = reconciler;
  const waiting = new Set<string>();
  const queue: WorkQueue = workQueue({ name, concurrency: CONCURRENCY, handle }, deps);

  function look(key: string): void {
    waiting.add(key);
    deps.metrics.queued(name, waiting.size);
    queue.add(key);
  }

  async function handle(key: string): Promise<Handled> {
    waiting.delete(key);
    deps.metrics.queued(name, waiting.size);
    return signal.aborted ? 'done' : await reconcileOne(reconciler, key, deps);
  }

  const unfollow = reconciler.follow(look);
  reconciler.keys().forEach(look);
  await aborted(signal);
  unfollow();
  await queue.stop();
  deps.metrics.queued(name, 0);
}

async function reconcileOne(reconciler: Reconciler, key: string, { clock, log, metrics }: LeadDeps): Promise<Handled> {
  const startMs = clock.elapsed();
  const done = await reconciler.reconcile(key);
  metrics.ended(reconciler.name, done.ok ? done.value.did : 'failed', clock.elapsed() - startMs);
  if (!done.ok) return done.error;
  const { did, againInMs } = done.value;
  // What is blocked is looked at often, and an Event says it.
  const say = did === 'nothing' || did === 'blocked' ? log.debug : log.info;
  say(`reconciled: ${did}`, { reconciler: reconciler.name, key });
  return againInMs === undefined ? 'done' : { retryAfterMs: againInMs };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
