// Writes down what policies in audit mode would have denied: the condition WouldDeny, and `audit` beside it.
//
// Whichever replica hears of calls writes of them; the leader alone says that a policy is new, has been edited, or is in audit mode no
// longer. Sidecars are spread over the replicas and know no leader, and what each replica hears is added to what is written there, by
// compare-and-swap: none has to hear from another. The part has a field manager of its own, so that it and the other conditions never
// take each other away. A policy is written of once a minute at most, by all replicas together as far as they see each other's writes.
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { ok } from '../../kit/result.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import { type Handled, workQueue } from '../../kube/queue.ts';
import type { Store } from '../../kube/store.ts';
import { keyOf } from '../../kube/types.ts';
import { outcome, type Reconciler } from '../reconcile/reconciler.ts';
import { type AuditStatus, lastDeniedMs, wantedAudit } from './audit-status.ts';
import type { HeardAudits } from './heard.ts';

export interface AuditDeps {
  readonly policies: Store<AccessPolicy>;
  readonly kube: Pick<Kube, 'apply'>;
  readonly clock: Clock;
}

/** Between two writes about one policy. */
const WRITE_MS = 60_000;
/** Who comes first is seen by the others, and they wait again. */
const SPREAD_MS = 5000;
const FIELD_MANAGER_PART = 'audit';
/** Of policies at once. */
const CONCURRENCY = 2;

/** For the leader: the condition begins, begins anew, and goes with the mode of the policy. */
export function auditReconciler({ policies, kube, clock }: AuditDeps): Reconciler {
  return {
    name: 'accesspolicies-audit',
    keys: () => policies.all().map(keyOf),
    follow: (look) => policies.changed((key) => look(key)),
    async reconcile(key) {
      const policy = policies.get(key);
      const wanted = policy && wantedAudit(policy, undefined, clock.now());
      if (policy === undefined || wanted === undefined || isGoing(policy)) return ok({ did: 'nothing' });
      return outcome(await write(kube, policy, wanted), 'applied');
    },
  };
}

export interface AuditKeeper {
  /** Settles when no write is under way. What was heard and is not written is lost. */
  stop(): Promise<void>;
}

/** For every replica. */
export function keepAudits(
  heard: HeardAudits,
  deps: AuditDeps & { readonly random: Random; readonly log: Log },
): AuditKeeper {
  const { policies, clock } = deps;
  /** By this replica: calls may have waited in a sidecar for a while before they were told of. */
  const writtenMs = new Map<string, number>();
  const queue = workQueue({ name: 'audit of access policies', concurrency: CONCURRENCY, handle }, deps);
  const forget = policies.changed((key, now) => {
    if (now === undefined) writtenMs.delete(key);
  });
  /** Those that are in the queue, or wait in it: news of them have to wait as well. */
  const queued = new Set<string>();
  heard.tell((key) => {
    if (queued.has(key)) return;
    queued.add(key);
    queue.add(key);
  });

  async function handle(key: string): Promise<Handled> {
    const policy = policies.get(key);
    const waitMs = policy === undefined ? 0 : dueMs(key, policy) - clock.now();
    if (waitMs > 0) return { retryAfterMs: waitMs + deps.random() * SPREAD_MS };
    const news = heard.take(key);
    const wanted = policy && news && wantedAudit(policy, news, clock.now());
    if (policy !== undefined && news !== undefined && wanted !== undefined) {
      const written = await write(deps.kube, policy, wanted);
      if (!written.ok) {
        heard.putBack(key, news);
        return written.error;
      }
      writtenMs.set(key, clock.now());
    }
    if (heard.has(key)) return { retryAfterMs: WRITE_MS };
    queued.delete(key);
    return 'done';
  }

  function dueMs(key: string, policy: AccessPolicy): number {
    return Math.max(lastDeniedMs(policy), writtenMs.get(key) ?? Number.NEGATIVE_INFINITY) + WRITE_MS;
  }

  return {
    async stop() {
      forget();
      await queue.stop();
    },
  };
}

function isGoing({ metadata }: AccessPolicy): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Of the policy as we know it: where that is not the newest, it is a conflict, and comes again. */
function write(kube: Pick<Kube, 'apply'>, { metadata }: AccessPolicy, status: AuditStatus): Answered<unknown> {
  const { name, namespace, resourceVersion } = metadata;
  const known = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
  return kube.apply<Pick<AccessPolicy, 'metadata'>>(
    ACCESS_POLICIES,
    { metadata: known, ...{ status } },
    'status',
    FIELD_MANAGER_PART,
  );
}
