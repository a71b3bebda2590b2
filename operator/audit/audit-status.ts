// What the status of an AccessPolicy says of calls that it would have denied, had it been enforced.
//
//   WouldDeny True    sidecars told of such calls since the spec was last changed; `audit` has how many, when, and one of them
//             False   they told of none so far
//             absent  the policy is not in audit mode
//
// Counting begins anew with each change of the spec: what an older one would have denied says nothing of this one.
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import type { Condition, StatusWithAudit } from '../../api/resources/status.ts';
import { dated, rfc3339 } from '../reconcile/conditions.ts';

const WOULD_DENY = 'WouldDeny';

/** What sidecars told of one policy. */
export interface HeardDenials {
  /** Of the policy, as they had it. */
  readonly generation: number;
  readonly count: number;
  /** Epoch milliseconds, by our clock. */
  readonly lastMs: number;
  /** One of the last ones. */
  readonly example: AuditExample;
}

export type Audit = NonNullable<StatusWithAudit['audit']>;
export type AuditExample = NonNullable<Audit['example']>;

/** The part of the status that is about this, and that nobody else writes. */
export type AuditStatus = Pick<StatusWithAudit, 'conditions' | 'audit'>;

/** As it ought to be, with what was heard added; undefined when it is so already. */
export function wantedAudit(
  policy: AccessPolicy,
  heard: HeardDenials | undefined,
  nowMs: number,
): AuditStatus | undefined {
  const generation = generationOf(policy);
  const [said, before] = [wouldDenyOf(policy), policy.status?.audit];
  if (policy.spec.mode !== 'audit') return said === undefined && before === undefined ? undefined : {};
  const isOfThisSpec = said?.observedGeneration === generation && before !== undefined;
  const news = heard?.generation === generation ? heard : undefined;
  if (isOfThisSpec && news === undefined) return undefined;
  const audit = added(isOfThisSpec ? before : { sinceTime: rfc3339(nowMs), deniedCount: 0 }, news);
  const condition = dated({ ...inWords(audit, policy), observedGeneration: generation }, said ? [said] : [], nowMs);
  return { conditions: [condition], audit };
}

/** When the last call was told of that is in the status already: it is written about then, and that seldom. */
export function lastDeniedMs(policy: AccessPolicy): number {
  const { lastDeniedTime } = policy.status?.audit ?? {};
  const isOfThisSpec = wouldDenyOf(policy)?.observedGeneration === generationOf(policy);
  return isOfThisSpec && lastDeniedTime !== undefined ? Date.parse(lastDeniedTime) : Number.NEGATIVE_INFINITY;
}

export function generationOf({ metadata }: AccessPolicy): number {
  return metadata.generation ?? 0;
}

function wouldDenyOf({ status }: AccessPolicy): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === WOULD_DENY);
}

/** Two replicas may hear of calls in another order than they came. */
function added(before: Audit, news: HeardDenials | undefined): Audit {
  if (news === undefined) return before;
  const deniedCount = Math.min(before.deniedCount + news.count, Number.MAX_SAFE_INTEGER);
  const last = rfc3339(news.lastMs);
  if (before.lastDeniedTime !== undefined && before.lastDeniedTime > last) return { ...before, deniedCount };
  return { ...before, deniedCount, lastDeniedTime: last, example: news.example };
}

function inWords(
  { sinceTime, deniedCount, lastDeniedTime, example }: Audit,
  { metadata }: AccessPolicy,
): Pick<Condition, 'type' | 'status' | 'reason' | 'message'> {
  if (deniedCount === 0 || example === undefined) {
    const message = `sidecars have told of no call since ${sinceTime} that it would have denied`;
    return { type: WOULD_DENY, status: 'False', reason: 'NoneSeen', message };
  }
  const { caller, app, operation, deniedBy } = example;
  const calls = deniedCount === 1 ? 'one call' : `${deniedCount} calls`;
  const message =
    `since ${sinceTime} it would have denied ${calls}, the last at ${lastDeniedTime}, ` +
    `such as ${caller} > ${operation} of ${app}.${metadata.namespace}, by ${deniedBy}`;
  return { type: WOULD_DENY, status: 'True', reason: 'CallsSeen', message };
}
