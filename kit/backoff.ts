// How long to wait before the next try: exponential with equal jitter, so that many waiters do not return at once.

/** A number in [0, 1). Injected wherever chance decides. */
export type Random = () => number;

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** The wait before try `attempt` (1 is the first repetition), between half and all of the exponential step. */
export function backoffMs(attempt: number, { baseMs, maxMs }: BackoffOptions, random: Random): number {
  const stepMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return stepMs * (0.5 + random() / 2);
}

/** As `backoffMs`, anywhere up to the step: for many who lost the same server at one moment, and can do without it. */
export function fullJitterMs(attempt: number, { baseMs, maxMs }: BackoffOptions, random: Random): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30)) * random();
}
