// How many calls may be under way at once, and how many more may wait for their turn, and for how long.
//
//   L1. There are never more inside than the limit; a limit that falls turns nobody out, and lets nobody in until enough have left.
//   L2. Who waits is let in in order. Nobody overtakes.
//
// A call that finds room costs a comparison and an addition. Only one that waits has a timer.
import type { Cancel, Clock } from '../../../kit/clock.ts';

export interface InFlightOptions {
  readonly clock: Clock;
  readonly limit: number;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
}

/** Of these one is called, once, and never before `wait` has returned. */
export interface Waiter {
  /** It is inside now, and has to leave. */
  admitted(): void;
  /** Its time is up. */
  timedOut(): void;
}

interface Waiting {
  readonly waiter: Waiter;
  readonly cancelTimer: Cancel;
}

export class InFlight {
  readonly #options: InFlightOptions;
  #limit: number;
  #inside = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();

  constructor(options: InFlightOptions) {
    this.#options = options;
    this.#limit = options.limit;
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether the caller is inside now, and has to leave. */
  tryEnter(): boolean {
    if (this.#inside >= this.#limit || this.#waiting.size > 0) return false;
    this.#inside++;
    return true;
  }

  /** For those that `tryEnter` did not let in. Undefined: the queue is full. The caller may take it back. */
  wait(waiter: Waiter): Cancel | undefined {
    const { clock, queueSize, queueTimeoutMs } = this.#options;
    if (this.#waiting.size >= queueSize) return undefined;
    const waiting: Waiting = {
      waiter,
      cancelTimer: clock.after(queueTimeoutMs, () => {
        if (this.#waiting.delete(waiting)) waiter.timedOut();
      }),
    };
    this.#waiting.add(waiting);
    return () => {
      waiting.cancelTimer();
      this.#waiting.delete(waiting);
    };
  }

  leave(): void {
    this.#inside--;
    this.#admit();
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    this.#admit();
  }

  #admit(): void {
    while (this.#inside < this.#limit) {
      const next = this.#waiting.values().next();
      if (next.done) return;
      this.#waiting.delete(next.value);
      next.value.cancelTimer();
      this.#inside++;
      next.value.waiter.admitted();
    }
  }
}
