// The sentence that says why a rule does not match a call, and what about it may have been meant otherwise.
import type { Identity } from '../../api/ids.ts';
import { excerpt } from '../../kit/text.ts';
import { slashReadings } from '../match/readings.ts';
import { type AccessCall, judgedMethod } from './call.ts';
import { callerPattern, type PlacedPolicy } from './rule.ts';

/** What a rule asks of a call. */
export type Part = 'caller' | 'method' | 'path' | 'grpc';

type SpecRule = PlacedPolicy['spec']['rules'][number];
type Matches = (rule: SpecRule) => boolean;

export interface MissContext {
  readonly call: AccessCall;
  /** The policy's. */
  readonly ownNamespace: string;
  readonly own: Identity;
}

export function missOf(rule: SpecRule, part: Part, context: MissContext, matches: Matches): string {
  const { call } = context;
  switch (part) {
    case 'caller':
      return `it is about ${callers(rule, context)}, and the caller is ${callerName(call.caller, context.own)}`;
    case 'method':
      return `it is about ${listed(rule, 'methods')}, and the method is ${judgedMethod(call)}`;
    case 'path':
      return `it is about ${listed(rule, 'paths')}, and the path is ${excerpt(call.path)}${pathHint(rule, call, matches)}`;
    case 'grpc':
      return `it is about ${listed(rule, 'grpc')}, and the method is ${excerpt(call.path.slice(1))}`;
  }
}

function callers({ from = [] }: SpecRule, { ownNamespace, own }: MissContext): string {
  return some(from.map((caller) => callerName(callerPattern(caller, ownNamespace, own.trustDomain), own)));
}

/** `web.front`; with its trust domain where that is another. */
export function callerName(
  { app, namespace, trustDomain }: { readonly app: string; readonly namespace: string; readonly trustDomain: string },
  own: Identity,
): string {
  const name = `${app}.${namespace}`;
  return trustDomain === own.trustDomain ? name : `${name} of ${trustDomain}`;
}

function listed({ to = [] }: SpecRule, field: 'methods' | 'paths' | 'grpc'): string {
  return some(to.flatMap((operation) => operation[field] ?? []));
}

const LISTED_MAX = 5;

function some(all: readonly string[]): string {
  const each = [...new Set(all)];
  const rest = each.length - LISTED_MAX;
  return rest > 0 ? `${each.slice(0, LISTED_MAX).join(', ')} and ${rest} more` : each.join(', ');
}

function pathHint(rule: SpecRule, call: AccessCall, matches: Matches): string {
  if (rule.action === 'allow' && matches({ ...rule, action: 'deny' })) {
    const [, ...others] = slashReadings(call.path);
    if (others.length > 0) {
      return `; a server may read that as ${others.map((path) => excerpt(path)).join(' or ')}, and it has to match in each reading, unless the policy says encodedSlash: literal`;
    }
    return '; only rules that deny overlook letter case, a trailing slash and what follows a semicolon';
  }
  if (matches(withAllBelow(rule)))
    return '; a path is that very path, and only one that ends in /** is all below it, too';
  return '';
}

function withAllBelow(rule: SpecRule): SpecRule {
  const below = (path: string) => (path.endsWith('/**') ? path : `${path.replace(/\/$/, '')}/**`);
  return { ...rule, to: rule.to?.map(({ paths, ...rest }) => (paths ? { ...rest, paths: paths.map(below) } : rest)) };
}
