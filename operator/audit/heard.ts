// What the sidecars of this replica tell of calls that policies in audit mode would have denied, until it is written down.
//
// A sidecar is believed about its own app alone: about policies of its namespace that select the app and are in audit mode now, as they
// are now. What it says besides is left aside. So there is one record for each such policy at most.
import { type Identity, parseSpiffeId, spiffeId } from '../../api/ids.ts';
import type { AuditDenials } from '../../api/proto/feed-audits.ts';
import type { AccessPolicy } from '../../api/resources/access-policy.ts';
import type { Clock } from '../../kit/clock.ts';
import { printable } from '../../kit/text.ts';
import type { Store } from '../../kube/store.ts';
import { policyOfName } from '../../policy/access/verdict.ts';
import { type AuditExample, generationOf, type HeardDenials } from './audit-status.ts';

/** In one report: whoever claims more calls than this between two of them invents them. */
const COUNT_MAX = 100_000_000;
/** Calls wait in a sidecar while no replica can be reached. */
const AGE_MS_MAX = 24 * 3_600_000;
/** Less than the schema takes. */
const EXAMPLE_CHARACTERS_MAX = 400;

export class HeardAudits {
  readonly #policies: Pick<Store<AccessPolicy>, 'get'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #heard = new Map<string, HeardDenials>();
  #news: (key: string) => void = () => undefined;

  constructor(policies: Pick<Store<AccessPolicy>, 'get'>, clock: Pick<Clock, 'now'>) {
    this.#policies = policies;
    this.#clock = clock;
  }

  /** Who it is told that something was heard of a policy. */
  tell(news: (key: string) => void): void {
    this.#news = news;
  }

  /** `self` is who its certificate says. */
  hear(self: Identity, reports: readonly AuditDenials[]): void {
    for (const report of reports) {
      const key = `${self.namespace}/${report.policy}`;
      const policy = this.#policies.get(key);
      if (policy === undefined || !mayReport(self, policy, report)) continue;
      this.#add(key, denialsIn(self, report, this.#clock.now()));
      this.#news(key);
    }
  }

  has(key: string): boolean {
    return this.#heard.has(key);
  }

  /** Takes it: what comes later is another record. */
  take(key: string): HeardDenials | undefined {
    const heard = this.#heard.get(key);
    this.#heard.delete(key);
    return heard;
  }

  /** What was taken could not be written. */
  putBack(key: string, heard: HeardDenials): void {
    this.#add(key, heard);
  }

  #add(key: string, more: HeardDenials): void {
    const known = this.#heard.get(key);
    // Of two versions of a policy the newer one counts.
    if (known === undefined || known.generation < more.generation) this.#heard.set(key, more);
    if (known === undefined || known.generation !== more.generation) return;
    const newer = known.lastMs > more.lastMs ? known : more;
    this.#heard.set(key, { ...newer, count: known.count + more.count });
  }
}

function mayReport(self: Identity, policy: AccessPolicy, report: AuditDenials): boolean {
  const { mode, apps } = policy.spec;
  const isOurs = apps === undefined || apps.includes(self.app);
  const isOfNow = mode === 'audit' && report.generation === generationOf(policy);
  return (
    isOurs && isOfNow && policyOfName(report.deniedBy) === `${self.namespace}/${report.policy}` && report.count > 0
  );
}

function denialsIn(self: Identity, report: AuditDenials, nowMs: number): HeardDenials {
  return {
    generation: report.generation,
    count: Math.min(report.count, COUNT_MAX),
    lastMs: nowMs - Math.min(report.ageMs, AGE_MS_MAX),
    example: exampleIn(self, report),
  };
}

/** People read it, and a schema limits it: whatever was sent, it is short and printable. */
function exampleIn(self: Identity, { caller, operation, deniedBy }: AuditDenials): AuditExample {
  return {
    caller: callerIn(self, caller),
    app: self.app,
    operation: short(operation),
    deniedBy: short(deniedBy),
  };
}

function callerIn(self: Identity, text: string): string {
  const caller = parseSpiffeId(text);
  if (!caller.ok) return 'somebody';
  const { trustDomain, namespace, app } = caller.value;
  return trustDomain === self.trustDomain ? `${app}.${namespace}` : spiffeId(caller.value);
}

function short(text: string): string {
  return printable(text).slice(0, EXAMPLE_CHARACTERS_MAX);
}
