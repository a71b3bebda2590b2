// Tells of judged calls: counts, and one line of the log for each that was denied, so many a second; `invokectl policy learn` reads
// them. Of calls that are allowed there is a line at the level debug.
import type { Call } from '../../api/call.ts';
import { type Identity, targetName } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log, LogFields } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import { excerpt } from '../../kit/text.ts';
import { DECISION_MESSAGE, decisionFields } from '../../policy/access/decision-line.ts';
import type { Ground, Verdict } from '../../policy/access/verdict.ts';
import type { AccessWatch } from '../authorize/authorize.ts';
import type { Direction } from '../way/flights.ts';
import type { CallMetrics } from './call-metrics.ts';

/** Of each kind, in a second. */
const LINES_MAX = 10;
const PATH_CHARACTERS_MAX = 2000;

export function watchAccess(
  own: Identity,
  metrics: Pick<CallMetrics, 'accessDenied' | 'accessAuditDenied'>,
  log: Log,
  clock: Pick<Clock, 'elapsed'>,
  report: (by: Ground, call: Call) => void = () => undefined,
): AccessWatch {
  const lines = () => new SeldomLine(clock, (fields) => log.info(DECISION_MESSAGE, fields), LINES_MAX);
  const [denials, audits] = [lines(), lines()];
  return {
    judged(direction: Direction, call: Call, verdict: Verdict) {
      const { kind, by, auditDeniedBy } = verdict;
      const peer = direction === 'outbound' ? targetName(call.target) : callerLabel(call.caller, own);
      if (kind === 'deny') metrics.accessDenied(direction, peer, by.name);
      else if (auditDeniedBy !== undefined) {
        metrics.accessAuditDenied(peer, auditDeniedBy.name);
        report(auditDeniedBy, call);
      }
      if (kind === 'deny') denials.say(fieldsOf(call, verdict));
      else if (auditDeniedBy !== undefined) audits.say(fieldsOf(call, verdict));
      else if (log.isDebug) log.debug(DECISION_MESSAGE, fieldsOf(call, verdict));
    },
  };
}

function fieldsOf(call: Call, verdict: Verdict): LogFields {
  return decisionFields(
    call.target,
    { ...call, path: excerpt(call.path, PATH_CHARACTERS_MAX) as Call['path'] },
    verdict,
  );
}

/** A name of another trust domain is another name. */
function callerLabel(caller: Identity, own: Identity): string {
  const name = targetName(caller);
  return caller.trustDomain === own.trustDomain ? name : `${name} of ${caller.trustDomain}`;
}
