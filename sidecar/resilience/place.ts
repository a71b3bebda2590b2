// A call's place among those that the limit of its target lets in at once. Where there is no limit, no call has one.
import type { Cancel } from '../../kit/clock.ts';
import type { InFlight, Waiter } from '../../policy/resiliency/limits/in-flight.ts';

export interface PlaceHost {
  admitted(): void;
  waitedInVain(place: Place): void;
}

export class Place implements Waiter {
  /** When it was asked for, on the monotonic clock. */
  readonly sinceMs: number;
  readonly limit: InFlight;
  readonly #host: PlaceHost;
  #isInside = false;
  #leaveQueue: Cancel | undefined;

  constructor(limit: InFlight, host: PlaceHost, sinceMs: number) {
    this.limit = limit;
    this.#host = host;
    this.sinceMs = sinceMs;
  }

  enter(): 'inside' | 'waiting' | 'full' {
    this.#isInside = this.limit.tryEnter();
    if (this.#isInside) return 'inside';
    this.#leaveQueue = this.limit.wait(this);
    return this.#leaveQueue === undefined ? 'full' : 'waiting';
  }

  /** However far it has come. */
  leave(): void {
    this.#leaveQueue?.();
    this.#leaveQueue = undefined;
    if (!this.#isInside) return;
    this.#isInside = false;
    this.limit.leave();
  }

  admitted(): void {
    this.#leaveQueue = undefined;
    this.#isInside = true;
    this.#host.admitted();
  }

  timedOut(): void {
    this.#leaveQueue = undefined;
    this.#host.waitedInVain(this);
  }
}
