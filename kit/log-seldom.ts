// Log lines that strangers can cause: one a second at most, so that nobody can fill a disk from outside.
import type { Clock } from './clock.ts';
import type { LogFields } from './log.ts';

const PERIOD_MS = 1000;

export class SeldomLine {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #say: (fields: LogFields) => void;
  #saidMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(clock: Pick<Clock, 'elapsed'>, say: (fields: LogFields) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Says it, with how many were not said since the line before; or counts it among those. */
  say(fields: LogFields): void {
    const nowMs = this.#clock.elapsed();
    if (nowMs - this.#saidMs < PERIOD_MS) {
      this.#unlogged++;
      return;
    }
    this.#say({ ...fields, unlogged: this.#unlogged });
    this.#saidMs = nowMs;
    this.#unlogged = 0;
  }
}
