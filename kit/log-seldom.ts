// Log lines that strangers can cause: one a second at most, or so many as are asked for, so that nobody can fill a disk from outside.
import type { Clock } from './clock.ts';
import type { LogFields } from './log.ts';

const PERIOD_MS = 1000;

export class SeldomLine {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #say: (fields: LogFields) => void;
  readonly #linesMax: number;
  /** When the first line of this second was said, and how many have been. */
  #firstMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #unlogged = 0;

  constructor(clock: Pick<Clock, 'elapsed'>, say: (fields: LogFields) => void, linesMax = 1) {
    this.#clock = clock;
    this.#say = say;
    this.#linesMax = linesMax;
  }

  /** Says it, with how many were not said since the line before; or counts it among those. */
  say(fields: LogFields): void {
    const nowMs = this.#clock.elapsed();
    if (nowMs - this.#firstMs >= PERIOD_MS) {
      this.#firstMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines === this.#linesMax) {
      this.#unlogged++;
      return;
    }
    this.#say({ ...fields, unlogged: this.#unlogged });
    this.#lines++;
    this.#unlogged = 0;
  }
}
