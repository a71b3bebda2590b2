// How many calls an app can bear at once, found out from how long they take: while they take about as long as they did without
// load, the limit grows; as they take longer, it falls.
//
//   G1. The limit is never below the least nor above the most that it was given.
//   G2. It grows only while it is in use: an idle app says nothing of how much it could bear.
import { SLOTS } from '../slots.ts';

export interface GradientBounds {
  readonly min: number;
  readonly max: number;
}

const LIMIT_AT_FIRST = 50;
/** The limit is set anew after so long, if so many calls have ended meanwhile. */
const PERIOD_MS = 200;
const SAMPLES_MIN = 20;
/** What it takes without load is the least mean of a period in about five minutes: apps change. */
const MEMORY_SLOT_MS = 30_000;
/** So much longer than that, calls may take before it is too long. */
const TOLERANCE = 1.5;
/** The limit falls by no more at a time, and moves by a part of the way. */
const GRADIENT_MIN = 0.5;
const SMOOTHING = 0.3;

export class Gradient {
  #bounds: GradientBounds;
  #limit: number;
  #periodEndMs: number;
  #sumMs = 0;
  #samples = 0;
  #inFlightMax = 0;
  /** The least mean of each slot of the memory. */
  readonly #leastMs = new Array<number>(SLOTS).fill(Number.POSITIVE_INFINITY);
  #slot = 0;
  #slotEndMs: number;

  constructor(bounds: GradientBounds, nowMs: number) {
    this.#bounds = bounds;
    this.#limit = clamp(LIMIT_AT_FIRST, bounds);
    this.#periodEndMs = nowMs + PERIOD_MS;
    this.#slotEndMs = nowMs + MEMORY_SLOT_MS;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** What was found out stays, as far as it is within. */
  setBounds(bounds: GradientBounds): void {
    this.#bounds = bounds;
    this.#limit = clamp(this.#limit, bounds);
  }

  /** A call was answered that succeeded; `inFlight` with itself. Whether the limit changed. */
  sample(tookMs: number, inFlight: number, nowMs: number): boolean {
    this.#sumMs += tookMs;
    this.#samples++;
    this.#inFlightMax = Math.max(this.#inFlightMax, inFlight);
    if (nowMs < this.#periodEndMs || this.#samples < SAMPLES_MIN) return false;
    const before = this.limit;
    this.#setAnew(this.#sumMs / this.#samples, nowMs);
    return this.limit !== before;
  }

  #setAnew(meanMs: number, nowMs: number): void {
    const leastMs = this.#least(meanMs, nowMs);
    const gradient = Math.min(1, Math.max(GRADIENT_MIN, (TOLERANCE * leastMs) / Math.max(meanMs, Number.EPSILON)));
    const wanted = this.#limit * gradient + Math.sqrt(this.#limit);
    const isInUse = this.#inFlightMax * 2 >= this.#limit;
    if (wanted < this.#limit || isInUse)
      this.#limit = clamp(this.#limit + (wanted - this.#limit) * SMOOTHING, this.#bounds);
    this.#periodEndMs = nowMs + PERIOD_MS;
    this.#sumMs = 0;
    this.#samples = 0;
    this.#inFlightMax = 0;
  }

  #least(meanMs: number, nowMs: number): number {
    for (let turn = 0; turn < SLOTS && nowMs >= this.#slotEndMs; turn++) {
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#leastMs[this.#slot] = Number.POSITIVE_INFINITY;
      this.#slotEndMs += MEMORY_SLOT_MS;
    }
    this.#slotEndMs = Math.max(this.#slotEndMs, nowMs);
    this.#leastMs[this.#slot] = Math.min(this.#leastMs[this.#slot] ?? meanMs, meanMs);
    return Math.min(...this.#leastMs);
  }
}

function clamp(limit: number, { min, max }: GradientBounds): number {
  return Math.min(Math.max(limit, min), max);
}
