// Why a call fares as it does: the verdict, and of each rule whether it matches, or the one thing about it that does not.
//
// A rule came close when it would match if one of its conditions were left out. That is found by leaving it out and deciding
// again, so that an explanation cannot differ from what a sidecar does.
import type { AccessCall } from './call.ts';
import { type AccessSources, compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { missOf, type Part } from './miss.ts';
import { type PlacedPolicy, policyName } from './rule.ts';
import type { Outcome, Verdict } from './verdict.ts';

type SpecRule = PlacedPolicy['spec']['rules'][number];
type SpecOperation = NonNullable<SpecRule['to']>[number];

export interface ExplainedRule {
  /** `namespace/policy/rule`. */
  readonly name: string;
  readonly action: Outcome;
  readonly mode: 'enforce' | 'audit';
  readonly matches: boolean;
  /** Why it does not, where that is one thing alone. */
  readonly miss?: { readonly part: Part; readonly reason: string };
}

export interface Explanation {
  readonly verdict: Verdict;
  /** Those that match and those that came close, by name; of a thousand others nobody wants to hear. */
  readonly rules: readonly ExplainedRule[];
}

export function explain(sources: AccessSources, call: AccessCall): Explanation {
  const verdict = decide(compileAccess(sources), call);
  const rules: ExplainedRule[] = [];
  for (const policy of sources.policies) {
    if (!('spec' in policy) || !isAbout(policy, sources)) continue;
    for (const rule of policy.spec.rules) {
      const explained = explainRule(policy, rule, sources, call, verdict);
      if (explained !== undefined) rules.push(explained);
    }
  }
  return { verdict, rules: rules.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

function isAbout({ namespace, spec }: PlacedPolicy, { own }: AccessSources): boolean {
  return namespace === own.namespace && (spec.apps === undefined || spec.apps.includes(own.app));
}

const PARTS: readonly Part[] = ['caller', 'method', 'path', 'grpc'];

function explainRule(
  policy: PlacedPolicy,
  rule: SpecRule,
  sources: AccessSources,
  call: AccessCall,
  { by }: Verdict,
): ExplainedRule | undefined {
  const { action } = rule;
  const common = { name: `${policyName(policy)}/${rule.name}`, action, mode: policy.spec.mode };
  const matches = (changed: SpecRule) => isMatch(policy, changed, sources, call);
  // The deciding one may share a path that can be read in several ways with others.
  if (by.name === common.name || matches(rule)) return { ...common, matches: true };
  const part = PARTS.find((one) => matches(without(rule, one)));
  if (part === undefined) return undefined;
  const context = { call, ownNamespace: policy.namespace, own: sources.own };
  return { ...common, matches: false, miss: { part, reason: missOf(rule, part, context, matches) } };
}

/** In a policy of its own, where nothing else can decide. */
function isMatch(policy: PlacedPolicy, rule: SpecRule, { own }: AccessSources, call: AccessCall): boolean {
  const otherwise = rule.action === 'allow' ? 'deny' : 'allow';
  const { encodedSlash } = policy.spec;
  const spec: PlacedPolicy['spec'] = { mode: 'enforce', default: otherwise, encodedSlash, rules: [rule] };
  const rules = compileAccess({ own, policies: [{ ...policy, spec }], defaults: { installation: otherwise } });
  return decide(rules, call).by.kind === 'rule';
}

function without(rule: SpecRule, part: Part): SpecRule {
  if (part === 'caller') return { ...rule, from: undefined };
  return { ...rule, to: rule.to?.map((operation) => withoutPart(operation, part)) };
}

function withoutPart(operation: SpecOperation, part: Part): SpecOperation {
  const { methods, paths, grpc } = operation;
  if (grpc !== undefined) return part === 'grpc' ? { grpc: ['*/*'] } : operation;
  if (part === 'method') return { paths: paths ?? ['/**'] };
  if (part === 'path') return { methods, paths: ['/**'] };
  return operation;
}
