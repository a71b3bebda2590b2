// May this caller make this call? In these words, which docs/access.md explains:
//
//   1. what the fence keeps out is denied;
//   2. else, of all enforced policies of the app together, a rule that denies denies;
//   3. else a rule that allows allows;
//   4. else it is denied if one of these policies says so by default, which they do unless told otherwise;
//   5. an app without a policy goes by its namespace's default, and without that by the installation's.
//
// The policies in audit mode are judged by the same words, apart, as if they were the only ones; that changes no verdict.
//
// A path with %2F or %5C is judged in each way in which a server may read it, and has to pass in all of them.
// Synchronous and pure; for a plain call nothing is made but the segments of its path.
import { mayEnter } from '../fence/fence.ts';
import { broadSegments, cutSegments, exactSegments, hasSemicolon, slashReadings } from '../match/readings.ts';
import { type AccessCall, judgedMethod } from './call.ts';
import type { AccessRules, PolicySet } from './compile.ts';
import { NO_RULE, type RuleIndex } from './rule-index.ts';
import type { Verdict } from './verdict.ts';

export function decide(rules: AccessRules, call: AccessCall): Verdict {
  const outside = mayEnter(rules.fence, call.caller);
  if (outside !== undefined) return rules.fenced[outside];
  const verdict = judge(rules.enforced, call);
  if (rules.audit === undefined) return verdict;
  const audited = judge(rules.audit, call);
  return audited.kind === 'allow' ? verdict : { ...verdict, auditDeniedBy: audited.by };
}

function judge(set: PolicySet, call: AccessCall): Verdict {
  return call.kind === 'grpc' ? judgeGrpc(set, call) : judgeHttp(set, call);
}

/** Its path is `/package.Service/Method`, with nothing in it that could be read in two ways. */
function judgeGrpc({ deny, allow, denied, allowed, otherwise }: PolicySet, { caller, path }: AccessCall): Verdict {
  const slash = path.indexOf('/', 1);
  const [service, method] = [path.slice(1, slash), path.slice(slash + 1)];
  if (deny.size > 0) {
    const verdict = denied[deny.findGrpc(caller, service, method)];
    if (verdict !== undefined) return verdict;
  }
  if (allow.size === 0) return otherwise;
  return allowed[allow.findGrpc(caller, service, method)] ?? otherwise;
}

function judgeHttp(set: PolicySet, call: AccessCall): Verdict {
  const { deny, allow, denied, allowed, otherwise } = set;
  if (deny.size === 0 && allow.size === 0) return otherwise;
  const readings = slashReadings(call.path);
  if (deny.size > 0) {
    const verdict = denied[ruleDenying(deny, call, readings)];
    if (verdict !== undefined) return verdict;
  }
  if (allow.size === 0) return otherwise;
  return allowed[ruleAllowing(allow, call, readings, otherwise.kind === 'allow')] ?? otherwise;
}

/** The first in rank that matches in any reading. */
function ruleDenying(deny: RuleIndex, call: AccessCall, readings: readonly string[]): number {
  const method = judgedMethod(call);
  const literal = broadSegments(call.path);
  let first = NO_RULE;
  for (const reading of readings) {
    const segments = reading === call.path ? literal : broadSegments(reading);
    first = Math.min(first, deny.findHttp(call.caller, method, segments, literal));
  }
  if (!hasSemicolon(call.path)) return first;
  const cut = cutSegments(call.path);
  for (const reading of readings) {
    first = Math.min(first, deny.findHttp(call.caller, method, cutSegments(reading), cut));
  }
  return first;
}

/** The rule for the path as it is written, if every other reading has one, too, or needs none. */
function ruleAllowing(allow: RuleIndex, call: AccessCall, readings: readonly string[], isOpen: boolean): number {
  const needed = allow.segmentsNeeded;
  const method = judgedMethod(call);
  const literal = exactSegments(call.path, needed);
  const own = allow.findHttp(call.caller, method, literal, literal);
  if (readings.length === 1 || isOpen) return own;
  for (const reading of readings) {
    const segments = exactSegments(reading, needed);
    if (allow.findHttp(call.caller, method, segments, literal) === NO_RULE) return NO_RULE;
  }
  return own;
}
