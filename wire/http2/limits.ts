// How often a peer may do what costs it little and us something. Each kind has a name, which the counters take as their label.
import type { Clock } from '../../kit/clock.ts';

export type Offence =
  /** Streams that came to nothing by the peer's doing: reset before their answer, or broken. */
  | 'rapid-reset'
  | 'ping-flood'
  | 'settings-flood'
  | 'empty-data-flood'
  | 'priority-flood'
  | 'window-update-flood'
  /** Frames of types that nobody knows, and of streams that are gone. */
  | 'stray-frame-flood';

/** So many in so much time is too many. */
export interface Rate {
  readonly count: number;
  readonly withinMs: number;
}

export type Rates = Readonly<Record<Offence, Rate>>;

const TEN_SECONDS_MS = 10_000;

/** `streamsMax`: a peer may give up all that it has under way, and do it again, as one does whose own callers have gone. */
export function defaultRates(streamsMax: number): Rates {
  return {
    'rapid-reset': { count: Math.max(200, 2 * streamsMax), withinMs: TEN_SECONDS_MS },
    // Clients that measure the window with pings (grpc-go) send one for each burst of data.
    'ping-flood': { count: 1000, withinMs: TEN_SECONDS_MS },
    'settings-flood': { count: 100, withinMs: TEN_SECONDS_MS },
    'empty-data-flood': { count: 1000, withinMs: TEN_SECONDS_MS },
    'priority-flood': { count: 1000 + 2 * streamsMax, withinMs: TEN_SECONDS_MS },
    // Those that open nothing that was closed; the others are paid for with the data that they let through.
    'window-update-flood': { count: 10_000, withinMs: TEN_SECONDS_MS },
    'stray-frame-flood': { count: 1000 + 10 * streamsMax, withinMs: TEN_SECONDS_MS },
  };
}

/** Counts, and looks at the clock only each time that the count is full. */
class Counter {
  readonly #rate: Rate;
  #count = 0;
  #since: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#since = now;
  }

  /** Whether this one was too many. */
  add(clock: Clock): boolean {
    this.#count += 1;
    if (this.#count < this.#rate.count) return false;
    const now = clock.elapsed();
    const isTooMany = now - this.#since < this.#rate.withinMs;
    this.#count = 0;
    this.#since = now;
    return isTooMany;
  }
}

export class Limits {
  readonly #clock: Clock;
  readonly #rates: Rates;
  /** Most connections meet none of these. */
  readonly #counters = new Map<Offence, Counter>();
  readonly #since: number;

  constructor(clock: Clock, rates: Rates) {
    this.#clock = clock;
    this.#rates = rates;
    this.#since = clock.elapsed();
  }

  isTooMany(offence: Offence): boolean {
    let counter = this.#counters.get(offence);
    if (counter === undefined) {
      counter = new Counter(this.#rates[offence], this.#since);
      this.#counters.set(offence, counter);
    }
    return counter.add(this.#clock);
  }
}
