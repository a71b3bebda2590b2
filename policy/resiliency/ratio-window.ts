// The share of failures among the calls of the last while.
import type { RatioPlan } from './plan.ts';
import { SLOTS, Slots } from './slots.ts';

export class RatioWindow {
  readonly #plan: RatioPlan;
  readonly #slots: Slots;

  constructor(plan: RatioPlan, nowMs: number) {
    this.#plan = plan;
    this.#slots = new Slots(plan.windowMs / SLOTS, nowMs);
  }

  add(isFailure: boolean, nowMs: number): void {
    this.#slots.addCall(nowMs);
    if (isFailure) this.#slots.addMarked(nowMs);
  }

  isExceeded(nowMs: number): boolean {
    this.#slots.turn(nowMs);
    const { percent, minRequests } = this.#plan;
    let calls = 0;
    let failures = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      calls += this.#slots.callsOf(slot);
      failures += this.#slots.markedOf(slot);
    }
    return calls >= minRequests && failures * 100 >= calls * percent;
  }

  clear(): void {
    this.#slots.clear();
  }
}
