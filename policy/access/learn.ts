// The least AccessPolicies that allow the calls that were seen: a rule for each caller, with the methods and paths that it used.
// Where paths differ only in what looks like an id, a template stands for them.
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import { chunks, groups } from '../../kit/lists.ts';
import type { JudgedCall } from './decision-line.ts';
import { learnedOperations } from './learned-operations.ts';

export interface LearnedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: Pick<AccessPolicySpec, 'apps' | 'rules'>;
}

export interface Learned {
  readonly policies: readonly LearnedPolicy[];
  /** Calls that no rule can be written for, a sentence each. */
  readonly left: readonly string[];
}

/** What a policy may hold (api/resources/access-policy.ts). */
const RULES_MAX = 100;
const OPERATIONS_MAX = 8;
const NAME_MAX = 63;

/** `ownTrustDomain` needs no mention in a rule. */
export function learn(seen: readonly JudgedCall[], ownTrustDomain: string): Learned {
  const left: string[] = [];
  const policies = groups(seen, ({ target }) => `${target.namespace}/${target.app}`).flatMap((calls) =>
    learnApp(calls, ownTrustDomain, left),
  );
  return { policies, left };
}

function learnApp(calls: readonly JudgedCall[], ownTrustDomain: string, left: string[]): readonly LearnedPolicy[] {
  const [first] = calls;
  if (first === undefined) return [];
  const { app, namespace } = first.target;
  const names = new Set<string>();
  const byCaller = groups(calls, ({ caller }) => `${caller.trustDomain}/${caller.namespace}/${caller.app}`);
  const rules = byCaller.flatMap((own) => learnCaller(own, namespace, ownTrustDomain, names, left));
  return chunks(rules, RULES_MAX).map((some, i) => ({
    namespace,
    name: fitted(`${app}-learned`, i),
    spec: { apps: [app], rules: [...some] },
  }));
}

function learnCaller(
  calls: readonly JudgedCall[],
  ownNamespace: string,
  ownTrustDomain: string,
  names: Set<string>,
  left: string[],
): AccessPolicySpec['rules'] {
  const [first] = calls;
  if (first === undefined) return [];
  const { app, namespace, trustDomain } = first.caller;
  const isOfOurs = trustDomain === ownTrustDomain;
  const from = {
    app,
    ...((namespace !== ownNamespace || !isOfOurs) && { namespace }),
    ...(!isOfOurs && { trustDomain }),
  };
  const operations = learnedOperations(calls.map(({ call }) => call));
  left.push(...operations.left.map((what) => `${app}.${namespace} called ${what}`));
  return chunks(operations.to, OPERATIONS_MAX).map((to) => {
    const name = freeName(`${app}-${namespace}`, names);
    return { name, action: 'allow', from: [from], to: [...to] };
  });
}

function freeName(wanted: string, taken: Set<string>): string {
  for (let i = 0; ; i++) {
    const name = fitted(wanted, i);
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

/** The first as it is, the others numbered; none too long for a name, and none that ends in a dash. */
function fitted(name: string, i: number): string {
  const end = i === 0 ? '' : `-${i + 1}`;
  return name.slice(0, NAME_MAX - end.length).replace(/-+$/, '') + end;
}
