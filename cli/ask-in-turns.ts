// Asking many sidecars, some of them at a time: that one cannot be asked is said, and the others are heard all the same.
import type { Result } from '../kit/result.ts';

/** Sidecars that are asked at once. */
const AT_ONCE = 16;

export interface Asked<T> {
  /** In the order of those that were asked. */
  readonly answers: readonly T[];
  /** A sentence for each that did not answer. */
  readonly problems: readonly string[];
}

export async function askInTurns<S, T>(all: readonly S[], ask: (one: S) => Promise<Result<T>>): Promise<Asked<T>> {
  const answers: T[] = [];
  const problems: string[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    for (const said of await Promise.all(all.slice(at, at + AT_ONCE).map(ask))) {
      if (said.ok) answers.push(said.value);
      else problems.push(said.error);
    }
  }
  return { answers, problems };
}
