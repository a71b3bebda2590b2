// What the metrics of sidecars say of calls that policies in audit mode would have denied.
import { unescapeLabel } from '../../kit/metrics.ts';
import { policyOfName } from '../../policy/access/verdict.ts';

/** Calls of one caller to one app that one rule, or the default of a policy, would have denied. */
export interface AuditCount {
  /** `namespace/policy` */
  readonly policy: string;
  /** `namespace/policy/rule`, or `default of namespace/policy`. */
  readonly deniedBy: string;
  /** `web.front`; with its trust domain where that is another. */
  readonly caller: string;
  /** `orders.shop` */
  readonly app: string;
  readonly calls: number;
}

const LINE = /^invoke_access_audit_denied_total\{peer="((?:[^"\\]|\\.)*)",rule="((?:[^"\\]|\\.)*)"\} (\d+)$/gm;

export function countsIn(metrics: string, app: string): readonly AuditCount[] {
  return [...metrics.matchAll(LINE)].map(([, caller = '', rule = '', calls]) => {
    const deniedBy = unescapeLabel(rule);
    return { policy: policyOfName(deniedBy), deniedBy, caller: unescapeLabel(caller), app, calls: Number(calls) };
  });
}

/** Those of all pods of an app as one, in order of their policies, and in these the largest first. */
export function summed(counts: readonly AuditCount[]): readonly AuditCount[] {
  const sums = new Map<string, AuditCount>();
  for (const count of counts) {
    const key = JSON.stringify([count.deniedBy, count.caller, count.app]);
    sums.set(key, { ...count, calls: count.calls + (sums.get(key)?.calls ?? 0) });
  }
  return [...sums.values()].toSorted(
    (a, b) => a.policy.localeCompare(b.policy) || b.calls - a.calls || a.caller.localeCompare(b.caller),
  );
}
