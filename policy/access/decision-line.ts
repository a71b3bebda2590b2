// The line of a sidecar's log that says how one call was judged: what `invokectl policy learn` reads. It holds what policies go
// by and nothing else of the call: no query, no header.
import { type Identity, parseSpiffeId, parseTarget, spiffeId, type Target, targetName } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { parseJson } from '../../kit/json.ts';
import type { LogFields } from '../../kit/log.ts';
import { optional, parsedBy, type Readers, readRecord, text } from '../../kit/record.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { parseOneOf } from '../../kit/values.ts';
import type { AccessCall } from './call.ts';
import type { Outcome, Verdict } from './verdict.ts';

/** The message of the line, by which it is known among others. */
export const DECISION_MESSAGE = 'a call was judged';

/** In JSON the line has these fields beside `time`, `level` and `message`. */
export interface DecisionLine {
  readonly verdict: Outcome;
  /** The name of what decided, such as `shop/orders/web-reads`. */
  readonly by: string;
  /** What would have denied it, were the policies in audit mode enforced. */
  readonly auditDeniedBy?: string | undefined;
  /** A SPIFFE ID. */
  readonly caller: string;
  /** `app.namespace` */
  readonly target: string;
  readonly kind: AccessCall['kind'];
  readonly method: string;
  /** In its one spelling. */
  readonly path: string;
}

export function decisionFields(target: Target, call: AccessCall, { kind, by, auditDeniedBy }: Verdict): LogFields {
  const line: DecisionLine = {
    verdict: kind,
    by: by.name,
    auditDeniedBy: auditDeniedBy?.name,
    caller: spiffeId(call.caller),
    target: targetName(target),
    kind: call.kind,
    method: call.method,
    path: call.path,
  };
  return { ...line };
}

/** A call of which a line tells. */
export interface JudgedCall {
  readonly target: Target;
  readonly caller: Identity;
  readonly call: AccessCall;
}

const READERS: Readers<DecisionLine> = {
  verdict: parsedBy(parseOneOf(['allow', 'deny'])),
  by: text,
  auditDeniedBy: optional(text),
  caller: text,
  target: text,
  kind: parsedBy(parseOneOf(['http', 'grpc', 'tunnel'])),
  method: text,
  path: text,
};

/**
 * Undefined for a line about something else, be it JSON or not. What collects logs puts words before a line: `invokectl run`
 * the name of who wrote it, `kubectl logs --prefix` the pod.
 */
export function readDecisionLine(written: string): Result<JudgedCall | undefined> {
  const json = written.includes(DECISION_MESSAGE) ? parseJson(written.slice(written.indexOf('{'))) : ok(undefined);
  if (!json.ok || !isDecision(json.value)) return ok(undefined);
  const line = readRecord(READERS, json.value);
  if (!line.ok) return err(line.error.join('; '));
  const { kind, method } = line.value;
  const caller = parseSpiffeId(line.value.caller);
  if (!caller.ok) return caller;
  const path = canonicalPath(line.value.path);
  if (!path.ok) return path;
  const target = parseTarget(line.value.target, caller.value.namespace);
  if (!target.ok) return target;
  return ok({
    target: target.value,
    caller: caller.value,
    call: { caller: caller.value, kind, method, path: path.value },
  });
}

function isDecision(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'message' in value && value.message === DECISION_MESSAGE;
}
