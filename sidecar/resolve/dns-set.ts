// One app's endpoints as DNS has them, kept fresh for as long as they are used.
//
//   idle ──use──▶ asking ──▶ kept (asks again before the TTL ends) ──unused──▶ idle
//
//   D1. One question at a time, however many wait for the answer.
//   D2. A good answer stands until DNS says something else. While DNS cannot say anything, it stands for LAST_GOOD_MS.
//   D3. "None" and failures are believed for a second or two, and then asked again by whoever calls next.
import { backoffMs, type Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { ServiceAnswer } from './dns/service.ts';
import type { Endpoint } from './resolver.ts';

export type DnsView =
  /** Being asked. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'found'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface DnsSetOptions {
  /** One look at DNS, bounded in time. Never rejects. */
  readonly lookUp: () => Promise<ServiceAnswer>;
  /** After each answer. */
  readonly answered: () => void;
  readonly clock: Clock;
  readonly random: Random;
}

const TTL_MS_MIN = 1000;
const TTL_MS_MAX = 30_000;
const NEGATIVE_MS_MIN = 1000;
const NEGATIVE_MS_MAX = 2000;
/** While DNS fails and a last good answer stands in. */
const RETRY = { baseMs: 2000, maxMs: 2000 } as const;
const LAST_GOOD_MS = 5 * 60_000;
/** A set that nobody used for so long is not asked for any more. */
const UNUSED_MS = 60_000;

type Phase =
  | { readonly kind: 'idle'; readonly freshUntilMs: number }
  | { readonly kind: 'asking' }
  | { readonly kind: 'kept'; readonly cancel: Cancel }
  | { readonly kind: 'closed' };

interface LastGood {
  readonly endpoints: readonly Endpoint[];
  /** When DNS, or whoever was believed in its place, last said so. */
  readonly confirmedMs: number;
}

export class DnsSet {
  readonly #options: DnsSetOptions;
  #phase: Phase = { kind: 'idle', freshUntilMs: Number.NEGATIVE_INFINITY };
  #view: DnsView = { kind: 'unknown' };
  #lastGood: LastGood | undefined;
  #usedMs = Number.NEGATIVE_INFINITY;

  constructor(options: DnsSetOptions) {
    this.#options = options;
  }

  view(): DnsView {
    return this.#view;
  }

  /** A call needs the set: from here on it is asked for, unless what is known is fresh. */
  use(): void {
    const nowMs = this.#options.clock.elapsed();
    this.#usedMs = nowMs;
    if (this.#phase.kind !== 'idle' || nowMs < this.#phase.freshUntilMs) return;
    // What was so a moment ago serves until the answer is here; what is older waits for it.
    if (this.#lastGood === undefined || nowMs - this.#lastGood.confirmedMs > TTL_MS_MAX)
      this.#view = { kind: 'unknown' };
    this.#ask();
  }

  /** Takes over from a source that knew better and fell silent: its word counts as a good answer of this moment. */
  assume(endpoints: readonly Endpoint[]): void {
    if (this.#phase.kind === 'closed' || endpoints.length === 0) return;
    this.#lastGood = { endpoints, confirmedMs: this.#options.clock.elapsed() };
    this.#view = { kind: 'found', endpoints };
    if (this.#phase.kind === 'idle') this.#phase = { kind: 'idle', freshUntilMs: Number.NEGATIVE_INFINITY };
  }

  close(): void {
    if (this.#phase.kind === 'kept') this.#phase.cancel();
    this.#phase = { kind: 'closed' };
  }

  #isUsed(): boolean {
    return this.#options.clock.elapsed() - this.#usedMs <= UNUSED_MS;
  }

  #ask(): void {
    this.#phase = { kind: 'asking' };
    void this.#options.lookUp().then((answer) => {
      if (this.#phase.kind !== 'asking') return;
      this.#take(answer);
      this.#options.answered();
    });
  }

  #take(answer: ServiceAnswer): void {
    const { clock, random } = this.#options;
    const nowMs = clock.elapsed();
    if (answer.kind === 'found') {
      this.#lastGood = { endpoints: answer.endpoints, confirmedMs: nowMs };
      this.#view = answer;
      const ttlMs = clamp(answer.ttlMs, TTL_MS_MIN, TTL_MS_MAX);
      this.#keep(ttlMs * (0.8 + 0.1 * random()));
      return;
    }
    if (answer.kind === 'failed' && this.#lastGood && nowMs - this.#lastGood.confirmedMs < LAST_GOOD_MS) {
      this.#view = { kind: 'found', endpoints: this.#lastGood.endpoints };
      this.#keep(backoffMs(1, RETRY, random));
      return;
    }
    this.#lastGood = undefined;
    this.#view = answer.kind === 'none' ? { kind: 'none' } : answer;
    const negativeMs = answer.kind === 'none' ? answer.ttlMs : NEGATIVE_MS_MIN;
    this.#phase = { kind: 'idle', freshUntilMs: nowMs + clamp(negativeMs, NEGATIVE_MS_MIN, NEGATIVE_MS_MAX) };
  }

  #keep(forMs: number): void {
    const cancel = this.#options.clock.after(forMs, () => {
      if (this.#isUsed()) this.#ask();
      else this.#phase = { kind: 'idle', freshUntilMs: this.#options.clock.elapsed() };
    });
    this.#phase = { kind: 'kept', cancel };
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
