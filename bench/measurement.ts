// What one round finds out about one pair, and what several come to.
import type { Percentiles } from './load-order.ts';
import type { PairName } from './pairs/pair.ts';
import { median, spread } from './statistics.ts';

/** Undefined is what this workload says nothing of. */
export interface Measurement {
  readonly callsPerSecond: number | undefined;
  /** Of both sidecars together. */
  readonly cpuMicrosPerCall: number | undefined;
  /** Of both, while nothing is asked of them: milliseconds a second. */
  readonly idleCpuMsPerSecond: number | undefined;
  /** What the endless download beside the calls got. */
  readonly bulkBytesPerSecond: number | undefined;
  readonly latencyMicros: Percentiles | undefined;
  /** How late the load generator was, at the 99th percentile. */
  readonly lateMicros: number | undefined;
  /** Of the larger of the two sidecars, at the end. */
  readonly rssBytes: number | undefined;
  readonly anonymousBytes: number | undefined;
  /** From exec: until the caller's sidecar takes connections, and until a call through both is answered. */
  readonly readyMs: number | undefined;
  readonly firstAnswerMs: number | undefined;
}

export type Figure = Exclude<keyof Measurement, 'latencyMicros'>;

export interface Summary {
  readonly workload: string;
  readonly pair: PairName;
  readonly rounds: readonly Measurement[];
}

/** A pair that is measured no further with this workload: one that answers with errors would look fast. */
export interface Failure {
  readonly pair: PairName;
  /** How many calls failed; 0 where it came to none. */
  readonly calls: number;
  readonly reason: string;
}

/** The median over the rounds. */
export function figure({ rounds }: Summary, name: Figure): number | undefined {
  return medianOf(rounds.map((round) => round[name]));
}

export function latency({ rounds }: Summary, percentile: keyof Percentiles): number | undefined {
  return medianOf(rounds.map(({ latencyMicros }) => latencyMicros?.[percentile]));
}

/** What the sidecars add: each round less the round without them, and the median of that. */
export function added(
  summary: Summary,
  direct: Summary | undefined,
  percentile: keyof Percentiles,
): number | undefined {
  return medianOf(addedOfEach(summary, direct, percentile));
}

export function addedOfEach(summary: Summary, direct: Summary | undefined, percentile: keyof Percentiles) {
  return summary.rounds.map(({ latencyMicros }, i) => {
    const without = direct?.rounds[i]?.latencyMicros;
    return latencyMicros === undefined || without === undefined
      ? undefined
      : latencyMicros[percentile] - without[percentile];
  });
}

/** How our figure stands to theirs: round by round, for what troubles the machine in a round troubles both. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Undefined where too little is known, or where something is added to one of them that cannot be told from nothing. */
export function ratioOf(
  ours: readonly (number | undefined)[],
  theirs: readonly (number | undefined)[],
): Ratio | undefined {
  const ratios = ours.map((value, i) => (value ?? Number.NaN) / (theirs[i] ?? Number.NaN));
  if (ratios.length === 0 || ratios.some((ratio) => !(ratio > 0 && Number.isFinite(ratio)))) return undefined;
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** From the lowest round to the highest, as a share of the median; undefined where that is nothing to take a share of. */
export function spreadOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length < 2 || median(known) <= 0 ? undefined : spread(known);
}

function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
