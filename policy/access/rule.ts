// A rule of an AccessPolicy once everything that it leaves out is filled in, and the order in which rules are named: the most
// specific one first. The order decides nothing but which of several rules that say the same is reported.
import type { Identity } from '../../api/ids.ts';
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import type { Result } from '../../kit/result.ts';
import { err, ok } from '../../kit/result.ts';
import { EVERY_PATH, parseTemplate, type Template } from '../match/template.ts';
import type { Outcome } from './verdict.ts';

/** An AccessPolicy, by its place and its spec with defaults. */
export interface PlacedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: AccessPolicySpec;
}

export interface CallerPattern {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly app: string;
}

export interface HttpOperation {
  readonly kind: 'http';
  /** Undefined: every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly templates: readonly Template[];
}

export interface GrpcOperation {
  readonly kind: 'grpc';
  readonly patterns: readonly GrpcPattern[];
}

export interface GrpcPattern {
  readonly service: string;
  readonly method: string;
}

export interface Rule {
  /** `namespace/policy/rule`. */
  readonly name: string;
  readonly action: Outcome;
  /** Undefined: every caller. */
  readonly from: readonly CallerPattern[] | undefined;
  /** Undefined: every operation. */
  readonly to: readonly (HttpOperation | GrpcOperation)[] | undefined;
  /** Whether it sees a path with %2F or %5C as it is written, and in no other reading. */
  readonly isLiteral: boolean;
}

export function policyName({ namespace, name }: Pick<PlacedPolicy, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** All rules of a policy, or why one cannot be read. */
export function readRules(policy: PlacedPolicy, own: Identity): Result<readonly Rule[]> {
  const rules: Rule[] = [];
  for (const { name, action, from, to } of policy.spec.rules) {
    const operations = to === undefined ? ok(undefined) : readOperations(to);
    if (!operations.ok) return err(`its rule ${name}: ${operations.error}`);
    rules.push({
      name: `${policyName(policy)}/${name}`,
      action,
      from: from?.map((caller) => callerPattern(caller, policy.namespace, own.trustDomain)),
      to: operations.value,
      isLiteral: policy.spec.encodedSlash === 'literal',
    });
  }
  return ok(rules);
}

type SpecRule = AccessPolicySpec['rules'][number];
type SpecCaller = NonNullable<SpecRule['from']>[number];
type SpecOperation = NonNullable<SpecRule['to']>[number];

export function callerPattern(caller: SpecCaller, ownNamespace: string, ownTrustDomain: string): CallerPattern {
  const { app = '*', namespace = ownNamespace, trustDomain = ownTrustDomain } = caller;
  return { app, namespace, trustDomain };
}

function readOperations(to: readonly SpecOperation[]): Result<readonly (HttpOperation | GrpcOperation)[]> {
  const operations: (HttpOperation | GrpcOperation)[] = [];
  for (const { methods, paths, grpc } of to) {
    if (grpc !== undefined) operations.push({ kind: 'grpc', patterns: grpc.map(grpcPattern) });
    else {
      const templates = paths === undefined ? ok([EVERY_PATH]) : readTemplates(paths);
      if (!templates.ok) return templates;
      operations.push({ kind: 'http', methods: methods && coveredMethods(methods), templates: templates.value });
    }
  }
  return ok(operations);
}

function readTemplates(paths: readonly string[]): Result<readonly Template[]> {
  const templates: Template[] = [];
  for (const path of paths) {
    const template = parseTemplate(path);
    if (!template.ok) return template;
    templates.push(template.value);
  }
  return ok(templates);
}

/**
 * GET is HEAD, too: servers answer HEAD with what they do for GET, and a rule that denies one but not the other would let out
 * what the headers say. HEAD alone stays alone.
 */
export function coveredMethods(methods: readonly string[]): ReadonlySet<string> {
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
}

export function grpcPattern(text: string): GrpcPattern {
  const slash = text.indexOf('/');
  return { service: text.slice(0, slash), method: text.slice(slash + 1) };
}

/** The most specific first; of two that are equally so, the first by name. */
export function bySpecificity(a: Rule, b: Rule): number {
  const [whatA, whatB] = [operationWeight(a), operationWeight(b)];
  const [whoA, whoB] = [callerWeight(a), callerWeight(b)];
  if (whatA !== whatB) return whatB - whatA;
  if (whoA !== whoB) return whoB - whoA;
  return a.name < b.name ? -1 : 1;
}

/** A rule is as specific as the widest of what it lists. */
function operationWeight({ to }: Rule): number {
  if (to === undefined) return 0;
  return Math.min(
    ...to.map((operation) => (operation.kind === 'http' ? httpWeight(operation) : grpcWeight(operation))),
  );
}

function httpWeight({ methods, templates }: HttpOperation): number {
  const path = Math.min(...templates.map(({ steps, isOpen }) => (isOpen ? 0 : steps.includes(undefined) ? 2 : 4)));
  return 1 + path + (methods === undefined ? 0 : 1);
}

function grpcWeight({ patterns }: GrpcOperation): number {
  return Math.min(
    ...patterns.map(({ service, method }) => 1 + nameWeight(service) * 2 + Math.sign(nameWeight(method))),
  );
}

function callerWeight({ from }: Rule): number {
  if (from === undefined) return 0;
  return Math.min(...from.map(({ app, namespace }) => 1 + nameWeight(app) + nameWeight(namespace)));
}

/** A name is more than a pattern, and a pattern more than a star. */
function nameWeight(pattern: string): number {
  if (pattern === '*') return 0;
  return pattern.includes('*') ? 1 : 2;
}
