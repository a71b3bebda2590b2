// `invokectl check`: what is not as it should be in a cluster, and what to do about it.
import { type ClusterOptions, openCluster } from '../cluster.ts';
import { EXIT, type Host, say } from '../host.ts';
import { columns } from '../table.ts';
import type { CheckFormat } from '../values.ts';
import { readFacts, type Scope } from './facts.ts';
import { ADVICE, type Finding, findingsIn, notesOn } from './findings.ts';

export interface CheckSettings {
  readonly scope: Scope;
  readonly cluster: ClusterOptions;
  readonly format: CheckFormat;
}

/** 0: nothing was found. 1: something was. Anything else: nobody can tell. */
export async function checkCommand({ scope, cluster, format }: CheckSettings, host: Host): Promise<number> {
  const opened = openCluster(cluster, host);
  const facts = opened.ok ? await readFacts(opened.value, scope) : opened;
  if (!facts.ok) {
    say(host, `the cluster cannot be checked: ${facts.error}`);
    return EXIT.unavailable;
  }
  const [findings, notes] = [findingsIn(facts.value), notesOn(facts.value)];
  host.stdout.write(format === 'json' ? asJson(findings, notes) : asText(findings, notes));
  return findings.length === 0 ? EXIT.ok : EXIT.failed;
}

function asJson(findings: readonly Finding[], notes: readonly string[]): string {
  const advised = findings.map((finding) => ({ ...finding, advice: ADVICE[finding.problem] }));
  return `${JSON.stringify({ findings: advised, notes }, undefined, 2)}\n`;
}

function asText(findings: readonly Finding[], notes: readonly string[]): string {
  const noted = notes.map((note) => `${note}\n`).join('');
  if (findings.length === 0) return `nothing was found\n\n${noted}`;
  const rows = findings.map(({ problem, namespace, about, why }) => [problem, namespace || '-', about, why]);
  const problems = new Set(findings.map(({ problem }) => problem));
  const advice = [...problems].map((problem) => `${problem}: ${ADVICE[problem]}\n`).join('');
  return `${columns([['PROBLEM', 'NAMESPACE', 'WHAT', 'WHY'], ...rows])}\n${advice}\n${noted}`;
}
