// How many calls may be under way at once, and how many more may wait for their turn, and for how long.
//
//   L1. There are never more inside than the limit; a limit that falls turns nobody out, and lets nobody in until enough have left.
//   L2. Who waits is let in in order. Nobody overtakes.
//
// A call that finds room costs a comparison and an addition. Only one that waits has a timer.
import type { Cancel, Clock } from '../../../kit/clock.ts';

export interface InFlightBounds {
  readonly limit: number;
  readonly queueSize: number;
  /** Infinity: who waits is never told to go. */
  readonly queueTimeoutMs: number;
}

export interface InFlightOptions extends InFlightBounds {
  readonly clock: Clock;
  /** Those that were let in before anybody counted; each of them leaves. */
  readonly inside?: number;
  /** Hears how many wait, whenever that changes. */
  readonly told?: (waiting: number) => void;
}

/** Of these one is called, once, and never before `wait` has returned. */
export interface Waiter {
  /** It is inside now, and has to leave. */
  admitted(): void;
  /** Its time is up. */
  timedOut(): void;
}

interface Waiting<W> {
  readonly waiter: W;
  readonly cancelTimer: Cancel;
}

const NO_TIMER: Cancel = () => undefined;

export class InFlight<W extends Waiter = Waiter> {
  readonly #clock: Clock;
  readonly #told: (waiting: number) => void;
  #bounds: InFlightBounds;
  #inside: number;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting<W>>();
  #isAdmitting = false;

  constructor({ clock, inside = 0, told = () => undefined, ...bounds }: InFlightOptions) {
    this.#clock = clock;
    this.#told = told;
    this.#bounds = bounds;
    this.#inside = inside;
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get bounds(): InFlightBounds {
    return this.#bounds;
  }

  /** Whether the caller is inside now, and has to leave. */
  tryEnter(): boolean {
    if (this.#inside >= this.#bounds.limit || this.#waiting.size > 0) return false;
    this.#inside++;
    return true;
  }

  /** For those that `tryEnter` did not let in. Undefined: the queue is full. The caller may take it back. */
  wait(waiter: W): Cancel | undefined {
    if (this.#waiting.size >= this.#bounds.queueSize) return undefined;
    const waiting: Waiting<W> = { waiter, cancelTimer: this.#timer(() => this.#delete(waiting) && waiter.timedOut()) };
    this.#waiting.add(waiting);
    this.#told(this.#waiting.size);
    return () => void this.#delete(waiting);
  }

  leave(): void {
    this.#inside--;
    this.#admit();
  }

  setLimit(limit: number): void {
    this.setBounds({ ...this.#bounds, limit });
  }

  /** Who waits already stays, for as long as was said then. */
  setBounds(bounds: InFlightBounds): void {
    this.#bounds = bounds;
    this.#admit();
  }

  /** Takes all who wait out of the queue; whoever asked for that tells them. */
  takeWaiting(): readonly W[] {
    const all = [...this.#waiting];
    for (const waiting of all) this.#delete(waiting);
    return all.map(({ waiter }) => waiter);
  }

  #timer(timeUp: () => void): Cancel {
    const { queueTimeoutMs } = this.#bounds;
    return queueTimeoutMs === Number.POSITIVE_INFINITY ? NO_TIMER : this.#clock.after(queueTimeoutMs, timeUp);
  }

  /** Whether it was still there. */
  #delete(waiting: Waiting<W>): boolean {
    if (!this.#waiting.delete(waiting)) return false;
    waiting.cancelTimer();
    this.#told(this.#waiting.size);
    return true;
  }

  /**
   * A call may be over as it is admitted, and leave from inside: a whole queue of such calls is gone through here, and not call
   * within call.
   */
  #admit(): void {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      while (this.#inside < this.#bounds.limit) {
        const next = this.#waiting.values().next();
        if (next.done) return;
        this.#delete(next.value);
        this.#inside++;
        next.value.waiter.admitted();
      }
    } finally {
      this.#isAdmitting = false;
    }
  }
}
