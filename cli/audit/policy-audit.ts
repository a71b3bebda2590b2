// `invokectl policy audit`: whom policies in audit mode would have denied, by what the sidecars counted since they started.
import type { Namespace } from '../../api/ids.ts';
import { printable } from '../../kit/text.ts';
import { type ClusterOptions, openCluster } from '../cluster.ts';
import { EXIT, type Host, say } from '../host.ts';
import { columns } from '../table.ts';
import type { CheckFormat } from '../values.ts';
import { clusterFacts } from './cluster-facts.ts';
import { summed } from './counts.ts';
import type { AuditFacts } from './facts.ts';
import { localFacts } from './local-facts.ts';

export interface PolicyAuditSettings {
  /** Undefined: all. */
  readonly namespace: Namespace | undefined;
  readonly where: 'this-machine' | ClusterOptions;
  readonly format: CheckFormat;
}

/** 0: the sidecars could be asked, whatever they said. Otherwise nobody can tell. */
export async function policyAuditCommand(
  { namespace, where, format }: PolicyAuditSettings,
  host: Host,
): Promise<number> {
  const facts = where === 'this-machine' ? await localFacts(namespace, host) : await ofCluster(where, namespace, host);
  if (!facts.ok) {
    say(host, `policies in audit mode cannot be looked at: ${facts.error}`);
    return EXIT.unavailable;
  }
  for (const problem of facts.value.problems) say(host, problem);
  host.stdout.write(format === 'json' ? asJson(facts.value) : asText(facts.value));
  return facts.value.sidecars === 0 && facts.value.problems.length > 0 ? EXIT.unavailable : EXIT.ok;
}

function ofCluster(cluster: ClusterOptions, namespace: Namespace | undefined, host: Host) {
  const opened = openCluster(cluster, host);
  return opened.ok ? clusterFacts(opened.value, namespace) : opened;
}

function rowsOf({ counts, policies = [] }: AuditFacts) {
  const lastOf = new Map(policies.map(({ name, lastDeniedTime }) => [name, lastDeniedTime]));
  return summed(counts).map((count) => ({ ...count, lastDeniedTime: lastOf.get(count.policy) }));
}

/** The names are part of what scripts read. */
function asJson(facts: AuditFacts): string {
  const { sidecars, problems, policies } = facts;
  return `${JSON.stringify({ denials: rowsOf(facts), policies, sidecars, problems }, undefined, 2)}\n`;
}

function asText(facts: AuditFacts): string {
  const rows = rowsOf(facts);
  if (rows.length === 0) return `${nothingIn(facts)}\n`;
  const cells = rows.map(({ policy, deniedBy, caller, app, calls, lastDeniedTime = '-' }) =>
    [policy, ruleIn(deniedBy, policy), caller, app, `${calls}`, lastDeniedTime].map(printable),
  );
  return columns([['POLICY', 'WOULD BE DENIED BY', 'CALLER', 'APP', 'CALLS', 'LAST OF POLICY'], ...cells]);
}

function ruleIn(deniedBy: string, policy: string): string {
  return deniedBy.startsWith(`${policy}/`) ? `rule ${deniedBy.slice(policy.length + 1)}` : 'its default';
}

function nothingIn({ policies, sidecars }: AuditFacts): string {
  if (policies?.length === 0) return 'no AccessPolicy is in audit mode; one is with "mode: audit" in its spec';
  if (sidecars === 0)
    return `no sidecar is there to be asked${policies === undefined ? '; "invokectl list -A" shows what runs' : ''}`;
  const whose = sidecars === 1 ? 'one sidecar was asked: since it' : `${sidecars} sidecars were asked: since they`;
  const nothing = `${whose} started, no call came in that a policy in audit mode would deny`;
  const seen = policies?.filter(({ lastDeniedTime }) => lastDeniedTime !== undefined) ?? [];
  const before = seen.map(({ name, lastDeniedTime }) => `; ${name} would have denied one at ${lastDeniedTime}, before`);
  return nothing + before.join('');
}
