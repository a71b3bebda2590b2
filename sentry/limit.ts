// How often somebody may ask: a token bucket for each, in a table that does not grow without end.
import type { Clock } from '../kit/clock.ts';

export interface Rate {
  /** How many at once. */
  readonly burst: number;
  readonly perSec: number;
}

/** `refused-again`: nothing was granted since the last refusal, which was told already. */
export type Verdict = 'granted' | 'refused' | 'refused-again';

interface Bucket {
  readonly level: number;
  readonly atMs: number;
  readonly wasRefused: boolean;
}

export class Limiter {
  readonly #rate: Rate;
  readonly #keysMax: number;
  readonly #clock: Clock;
  /** Least recently used first: what is forgotten at the limit is most likely full again. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, keysMax: number, clock: Clock) {
    this.#rate = rate;
    this.#keysMax = keysMax;
    this.#clock = clock;
  }

  take(key: string): Verdict {
    const { burst, perSec } = this.#rate;
    const atMs = this.#clock.elapsed();
    const held = this.#buckets.get(key) ?? { level: burst, atMs, wasRefused: false };
    const level = Math.min(burst, held.level + ((atMs - held.atMs) / 1000) * perSec);
    const isGranted = level >= 1;
    this.#keep(key, { level: isGranted ? level - 1 : level, atMs, wasRefused: !isGranted });
    if (isGranted) return 'granted';
    return held.wasRefused ? 'refused-again' : 'refused';
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= this.#keysMax) return;
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
