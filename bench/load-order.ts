// What the load generator is told to do, and what it answers.

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly pace: Pace;
  /** At the same pace; nothing of it is counted. */
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** Whose processor time is read at the beginning and at the end of what is measured. */
  readonly pids: readonly number[];
}

/** `saturated`: every connection asks again as soon as it is answered. */
export type Pace = { readonly kind: 'fixed'; readonly perSecond: number } | { readonly kind: 'saturated' };

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface LoadResult {
  /** Answered in full, as expected, while it was measured. */
  readonly calls: number;
  /** At the given pace, those that fell due while it was measured; calls that are still to be answered are the difference. */
  readonly due: number;
  /** Answered otherwise, or not at all; the first reasons. */
  readonly failures: number;
  readonly reasons: readonly string[];
  readonly seconds: number;
  /** To the end of the answer: from sending, or from when it was due where no connection was free then. */
  readonly latencyMicros: Percentiles;
  /** How late the generator itself was: from when a request was due to when it got round to it. */
  readonly lateMicros: Percentiles;
  /** In the order of `pids`. */
  readonly cpuMicros: readonly number[];
  /** Of the generator. */
  readonly ownCpuMicros: number;
}

export type FromLoad =
  | { readonly kind: 'measured'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly reason: string };
