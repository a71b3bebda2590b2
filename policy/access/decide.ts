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
import { type Bits, NONE } from '../match/bits.ts';
import { broadReadings, broadSegments, exactSegments, literalReadings, slashReadings } from '../match/readings.ts';
import { type AccessCall, judgedMethod } from './call.ts';
import type { AccessRules, PolicySet } from './compile.ts';
import type { HttpIndex } from './http-index.ts';
import type { About, RuleIndex } from './rule-index.ts';
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
  const denying = deny.about(caller).grpc;
  if (denying !== undefined) {
    const verdict = denied[deny.grpc.first(denying, service.toLowerCase(), method.toLowerCase())];
    if (verdict !== undefined) return verdict;
  }
  const allowing = allow.about(caller).grpc;
  if (allowing === undefined) return otherwise;
  return allowed[allow.grpc.first(allowing, service, method)] ?? otherwise;
}

function judgeHttp({ deny, allow, denied, allowed, otherwise }: PolicySet, call: AccessCall): Verdict {
  const verdict = denied[ruleDenying(deny, deny.about(call.caller), call)];
  if (verdict !== undefined) return verdict;
  return allowed[ruleAllowing(allow, allow.about(call.caller), call, otherwise.kind === 'allow')] ?? otherwise;
}

/** The first in rank that matches in any reading. */
function ruleDenying({ paths, literalPaths }: RuleIndex, about: About, call: AccessCall): number {
  const method = judgedMethod(call);
  let first = NONE;
  if (about.paths !== undefined) first = firstInAny(paths, about.paths, method, broadReadings(call.path));
  if (about.literalPaths === undefined) return first;
  return Math.min(first, firstInAny(literalPaths, about.literalPaths, method, literalReadings(call.path)));
}

function firstInAny(index: HttpIndex, about: Bits, method: string, readings: readonly string[]): number {
  const needed = index.segmentsNeeded;
  let first = NONE;
  for (const reading of readings) {
    first = Math.min(first, index.first(about, method, broadSegments(reading, needed)));
  }
  return first;
}

/** The rule for the path as it is written, if every other reading has one, too, or needs none. */
function ruleAllowing(allow: RuleIndex, about: About, call: AccessCall, isOpen: boolean): number {
  const method = judgedMethod(call);
  const { paths, literalPaths } = allow;
  const literal =
    about.literalPaths === undefined ? NONE : firstExact(literalPaths, about.literalPaths, method, call.path);
  if (about.paths === undefined) return literal;
  const [, ...others] = slashReadings(call.path);
  const isEverywhere =
    literal !== NONE || isOpen || others.every((reading) => firstExact(paths, about.paths, method, reading) !== NONE);
  return isEverywhere ? Math.min(literal, firstExact(paths, about.paths, method, call.path)) : NONE;
}

function firstExact(index: HttpIndex, about: Bits | undefined, method: string, path: string): number {
  return about === undefined ? NONE : index.first(about, method, exactSegments(path, index.segmentsNeeded));
}
