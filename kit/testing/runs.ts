// For tests: how often a property is tried, and from which seed. `npm run fuzz` says both, with more time than `npm test` has.
import { env } from 'node:process';

export interface Runs {
  readonly numRuns: number;
  readonly seed?: number;
}

/** For `fc.assert`. Counts what is the usual number. */
export function runs(count: number): Runs {
  const numRuns = count * Number(env.FUZZ_FACTOR ?? 1);
  return env.FUZZ_SEED === undefined ? { numRuns } : { numRuns, seed: Number(env.FUZZ_SEED) };
}
