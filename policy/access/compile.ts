// All policies that concern one app, made ready to be asked: done once when they change, and not for each call.
//
// The policies that are enforced form one set, and those in audit mode another, which is judged apart and decides nothing.
import type { Identity } from '../../api/ids.ts';
import { compileFence, type Fence, type FenceList, type FenceSpec } from '../fence/fence.ts';
import { bySpecificity, type PlacedPolicy, policyName, type Rule, readRules } from './rule.ts';
import { RuleIndex } from './rule-index.ts';
import { type Denied, defaultOfPolicy, type Ground, type Outcome, type Verdict } from './verdict.ts';

/** A policy whose spec says something that this program does not know. */
export interface UnreadablePolicy {
  readonly namespace: string;
  readonly name: string;
  readonly mode: 'enforce' | 'audit';
  readonly reason: string;
}

export interface AccessDefaults {
  /** NamespacePolicy's, for apps that no AccessPolicy protects. */
  readonly namespace?: Outcome | undefined;
  readonly installation: Outcome;
}

export interface AccessSources {
  /** The app that is called, and its trust domain. */
  readonly own: Identity;
  /** In any order; those of other namespaces and for other apps are left aside. */
  readonly policies: readonly (PlacedPolicy | UnreadablePolicy)[];
  readonly defaults: AccessDefaults;
  readonly fence?: FenceSpec;
}

/** Immutable to whoever asks. */
export interface AccessRules {
  readonly fence: Fence;
  readonly fenced: Readonly<Record<FenceList, Denied>>;
  readonly enforced: PolicySet;
  /** Undefined where no policy is in audit mode. */
  readonly audit: PolicySet | undefined;
}

export interface PolicySet {
  readonly deny: RuleIndex;
  readonly allow: RuleIndex;
  /** By rank. */
  readonly denied: readonly Verdict[];
  readonly allowed: readonly Verdict[];
  /** Where no rule matches. */
  readonly otherwise: Verdict;
}

export function compileAccess({ own, policies, defaults, fence = {} }: AccessSources): AccessRules {
  const ours = policies.filter((policy) => selects(policy, own)).toSorted(byName);
  const enforced = ours.filter((policy) => modeOf(policy) === 'enforce');
  const audited = ours.filter((policy) => modeOf(policy) === 'audit');
  const withoutPolicy = defaultOf(defaults, own);
  return {
    fence: compileFence(fence, own),
    fenced: {
      callableFrom: { kind: 'deny', by: fenceGround('callableFrom', own) },
      mayCall: { kind: 'deny', by: fenceGround('mayCall', own) },
    },
    enforced: policySet(enforced, own, withoutPolicy),
    audit: audited.length === 0 ? undefined : policySet(audited, own, withoutPolicy),
  };
}

/** An unreadable one may select anything. */
function selects(policy: PlacedPolicy | UnreadablePolicy, own: Identity): boolean {
  if (policy.namespace !== own.namespace) return false;
  return !('spec' in policy) || policy.spec.apps === undefined || policy.spec.apps.includes(own.app);
}

function modeOf(policy: PlacedPolicy | UnreadablePolicy): 'enforce' | 'audit' {
  return 'spec' in policy ? policy.spec.mode : policy.mode;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function policySet(
  policies: readonly (PlacedPolicy | UnreadablePolicy)[],
  own: Identity,
  withoutPolicy: Verdict,
): PolicySet {
  const rules: Rule[] = [];
  const placed: PlacedPolicy[] = [];
  for (const policy of policies) {
    if (!('spec' in policy)) return closed(policy, policy.reason);
    const read = readRules(policy, own);
    if (!read.ok) return closed(policy, read.error);
    rules.push(...read.value);
    placed.push(policy);
  }
  return indexed(rules.toSorted(bySpecificity), placed.length === 0 ? withoutPolicy : defaultAmong(placed));
}

/** Nothing passes until the policy is put right: what it was to say is not known. */
function closed(policy: Pick<PlacedPolicy, 'namespace' | 'name'>, reason: string): PolicySet {
  return indexed([], { kind: 'deny', by: { kind: 'unreadable', name: policyName(policy), reason } });
}

function indexed(rules: readonly Rule[], otherwise: Verdict): PolicySet {
  const [denying, allowing] = [rules.filter(isDenying), rules.filter((rule) => !isDenying(rule))];
  return {
    deny: new RuleIndex(denying, true),
    allow: new RuleIndex(allowing, false),
    denied: denying.map(({ name }) => ({ kind: 'deny', by: { kind: 'rule', name } })),
    allowed: allowing.map(({ name }) => ({ kind: 'allow', by: { kind: 'rule', name } })),
    otherwise,
  };
}

function isDenying({ action }: Rule): boolean {
  return action === 'deny';
}

/** One policy that says deny is enough; the first by name is reported. */
function defaultAmong(policies: readonly PlacedPolicy[]): Verdict {
  const denying = policies.find(({ spec }) => spec.default === 'deny');
  const deciding = denying ?? policies[0];
  const name = deciding === undefined ? '' : policyName(deciding);
  return { kind: denying ? 'deny' : 'allow', by: defaultOfPolicy(name) };
}

function defaultOf({ namespace, installation }: AccessDefaults, own: Identity): Verdict {
  if (namespace === undefined) {
    return { kind: installation, by: { kind: 'default', of: 'installation', name: 'default of the installation' } };
  }
  return { kind: namespace, by: { kind: 'default', of: 'namespace', name: `default of namespace ${own.namespace}` } };
}

function fenceGround(list: FenceList, { namespace }: Identity): Ground {
  const whose =
    list === 'callableFrom' ? `callableFrom of namespace ${namespace}` : "mayCall of the caller's namespace";
  return { kind: 'fence', list, name: whose };
}
