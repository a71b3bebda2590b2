// `invokectl explain`: may this app make this call, by which rule, and which rules came close?
import { spiffeId } from '../api/ids.ts';
import { err, type Result } from '../kit/result.ts';
import { type ExplainedRule, type Explanation, explain } from '../policy/access/explain.ts';
import { callerName } from '../policy/access/miss.ts';
import type { Ground } from '../policy/access/verdict.ts';
import { type ClusterOptions, openCluster } from './cluster.ts';
import { EXIT, type Host, say } from './host.ts';
import { policiesFor } from './policies-of-cluster.ts';
import { readPolicyFiles } from './policy-files.ts';
import { printedCall, type Question } from './policy-question.ts';
import { type Installation, type Policies, sourcesFor } from './policy-sources.ts';
import type { ExplainFormat } from './values.ts';

export interface ExplainSettings {
  readonly question: Question;
  readonly installation: Installation;
  /** Files and folders; with none, the cluster is asked. */
  readonly paths: readonly string[];
  readonly cluster: ClusterOptions;
  readonly format: ExplainFormat;
}

/** 0: it is allowed. 1: it is denied. Anything else: nobody can tell. */
export async function explainCommand(settings: ExplainSettings, host: Host): Promise<number> {
  const { question, installation, format } = settings;
  const policies = await readPolicies(settings, host);
  if (!policies.ok) {
    for (const problem of policies.error.problems) say(host, problem);
    return policies.error.exitCode;
  }
  const { access, namespaces } = policies.value;
  if (settings.paths.length > 0 && access.length + namespaces.length === 0)
    say(
      host,
      'there is no AccessPolicy and no NamespacePolicy in what was given; this is how a call is judged without any',
    );
  const explanation = explain(sourcesFor(policies.value, question.target, installation), question.call);
  host.stdout.write(format === 'json' ? asJson(question, explanation) : asText(settings, explanation));
  return explanation.verdict.kind === 'allow' ? EXIT.ok : EXIT.failed;
}

interface Unread {
  readonly problems: readonly string[];
  readonly exitCode: number;
}

async function readPolicies(settings: ExplainSettings, host: Host): Promise<Result<Policies, Unread>> {
  const { question, paths, cluster } = settings;
  if (paths.length > 0) {
    const read = await readPolicyFiles(paths, host.cwd);
    return read.ok ? read : { ok: false, error: { problems: read.error, exitCode: EXIT.usage } };
  }
  const opened = openCluster(cluster, host);
  const read = opened.ok
    ? await policiesFor(question, opened.value)
    : err(`${opened.error}. Or give policies in files: -f FILE`);
  return read.ok ? read : { ok: false, error: { problems: [read.error], exitCode: EXIT.unavailable } };
}

function asJson(question: Question, { verdict, rules }: Explanation): string {
  const { caller } = question.call;
  const { kind, by, auditDeniedBy } = verdict;
  const told = { caller: spiffeId(caller), call: printedCall(question), verdict: kind, by, auditDeniedBy, rules };
  return `${JSON.stringify(told, undefined, 2)}\n`;
}

function asText({ question, installation }: ExplainSettings, { verdict, rules }: Explanation): string {
  const { kind, by, auditDeniedBy } = verdict;
  const own = { ...question.target, trustDomain: installation.trustDomain };
  const lines = [
    `${kind}  ${callerName(question.call.caller, own)} > ${printedCall(question)}`,
    `  by ${inWords(by)}`,
    ...(auditDeniedBy ? [`  in audit mode, denied by ${inWords(auditDeniedBy)}`] : []),
    ...section(
      'also matches',
      rules.filter(({ matches, name }) => matches && name !== by.name),
    ),
    ...section(
      'came close',
      rules.filter(({ matches }) => !matches),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function inWords(ground: Ground): string {
  if (ground.kind === 'rule') return `the rule ${ground.name}`;
  if (ground.kind === 'unreadable') return `the policy ${ground.name}, which cannot be read: ${ground.reason}`;
  return `the ${ground.name}`;
}

const LISTED_MAX = 20;

function section(title: string, rules: readonly ExplainedRule[]): readonly string[] {
  if (rules.length === 0) return [];
  const rest = rules.length - LISTED_MAX;
  return [
    `${title}:`,
    ...rules.slice(0, LISTED_MAX).map(listed),
    ...(rest > 0 ? [`  and ${rest} more; -o json has all`] : []),
  ];
}

function listed({ name, action, mode, miss }: ExplainedRule): string {
  const how = mode === 'audit' ? `${action}, in audit mode` : action;
  return `  ${name} (${how})${miss === undefined ? '' : `: ${miss.reason}`}`;
}
