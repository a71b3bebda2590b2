// Where the time of a call went, stage by stage and try by try, for a caller who is told that it was too long. Nothing of this is
// worked out for a call that is in time: it is put together from the moments that tries have anyway.
import type { RequestEnd } from '../../api/exchange.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';

/** The sending end of a try. */
export interface AttemptEnd extends RequestEnd {
  /** When its connection was there, on the monotonic clock. Undefined where the transport does not say. */
  readonly connectedMs?: number | 'not-yet' | undefined;
}

export interface TryTimes {
  readonly startedMs: number;
  readonly connectedMs: AttemptEnd['connectedMs'];
  /** When its answer began. */
  readonly answeredMs: number | undefined;
}

export interface FailedTry extends TryTimes {
  readonly endedMs: number;
  readonly outcome: Outcome;
}

export interface Journey {
  readonly startedMs: number;
  readonly nowMs: number;
  /** Since when it waited for its turn; undefined: its target has no limit. */
  readonly queuedMs: number | undefined;
  /** The first ones. */
  readonly failed: readonly FailedTry[];
  /** The one under way. */
  readonly current: (TryTimes & { readonly number: number }) | undefined;
}

export function timeSpent(journey: Journey): string {
  const { startedMs, nowMs, queuedMs, failed, current } = journey;
  const firstMs = failed[0]?.startedMs ?? current?.startedMs ?? nowMs;
  const resolved = [`resolving its name ${ms((queuedMs ?? firstMs) - startedMs)}`];
  if (queuedMs !== undefined) resolved.push(`waiting for its turn ${ms(firstMs - queuedMs)}`);
  if (failed.length === 0) return [...resolved, ...(current ? stages(current, nowMs) : [])].join(', ');
  return [...resolved, ...tries(journey)].join('; ');
}

function tries({ nowMs, failed, current }: Journey): readonly string[] {
  const told: string[] = [];
  let sinceMs = failed[0]?.startedMs ?? nowMs;
  for (const [at, one] of failed.entries()) {
    if (at > 0) told.push(...pause(one.startedMs - sinceMs));
    const parts = [...stages(one, one.endedMs), ending(one.outcome)];
    told.push(`try ${at + 1}: ${parts.join(', ')}`);
    sinceMs = one.endedMs;
  }
  const untold = (current?.number ?? failed.length + 1) - failed.length - 1;
  if (untold > 0) told.push(`tries ${failed.length + 1} to ${failed.length + untold}, and pauses`);
  const pausedMs = (current?.startedMs ?? nowMs) - sinceMs;
  if (untold > 0) told.push(`${told.pop()} ${ms(pausedMs)}`);
  else told.push(...pause(pausedMs));
  if (current !== undefined) told.push(`try ${current.number}: ${stages(current, nowMs).join(', ')}`);
  return told;
}

function stages({ startedMs, connectedMs, answeredMs }: TryTimes, endMs: number): readonly string[] {
  if (connectedMs === 'not-yet') return [`connecting ${ms(endMs - startedMs)}`];
  // The connection may be older than the try, and nearly always is.
  const sentMs = Math.max(startedMs, connectedMs ?? startedMs);
  const connecting = connectedMs === undefined ? [] : [`connecting ${ms(sentMs - startedMs)}`];
  const waiting = `waiting for its answer ${ms((answeredMs ?? endMs) - sentMs)}`;
  const reading = answeredMs === undefined ? [] : [`reading it ${ms(endMs - answeredMs)}`];
  return [...connecting, waiting, ...reading];
}

function pause(lastedMs: number): readonly string[] {
  return Math.round(lastedMs) > 0 ? [`a pause of ${ms(lastedMs)}`] : [];
}

function ending(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'answer':
      return outcome.protocol === 'http' ? `then status ${outcome.status}` : `then gRPC status ${outcome.status}`;
    case 'fault':
      return `then ${outcome.code}`;
    case 'try-timeout':
      return 'then its time was up';
  }
}

function ms(amount: number): string {
  return `${Math.max(0, Math.round(amount))} ms`;
}
