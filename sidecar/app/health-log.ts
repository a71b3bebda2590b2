// What the log says of a thing that is asked for its health again and again: each turn and each new reason, but not each answer.
//
// A new reason is told even where the answer before was bad, too: an app that starts takes no connections at first, and only then says
// what is wrong with it, which is what somebody looks for.
import type { Log } from '../../kit/log.ts';

export interface HealthWords {
  readonly healthy: string;
  /** It has not been healthy before. */
  readonly notYet: string;
  readonly unhealthy: string;
}

/** Between two turns: else an app with ever other reasons has a line in the log each second. */
const REASONS_MAX = 8;

export class HealthLog {
  readonly #log: Log;
  readonly #words: HealthWords;
  readonly #reasons = new Set<string>();
  #isHealthy = false;
  #wasHealthy = false;

  constructor(log: Log, words: HealthWords) {
    this.#log = log;
    this.#words = words;
  }

  /** Undefined: it is healthy. */
  noted(problem: string | undefined): void {
    if (problem === undefined) this.#healthy();
    else this.#unhealthy(problem);
  }

  #healthy(): void {
    if (!this.#isHealthy) this.#log.info(this.#words.healthy);
    this.#isHealthy = true;
    this.#wasHealthy = true;
    this.#reasons.clear();
  }

  #unhealthy(why: string): void {
    this.#isHealthy = false;
    if (this.#reasons.has(why) || this.#reasons.size === REASONS_MAX) return;
    this.#reasons.add(why);
    if (this.#wasHealthy) this.#log.warn(this.#words.unhealthy, { why });
    else this.#log.info(this.#words.notYet, { why });
  }
}
