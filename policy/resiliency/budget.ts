// How much load retries may add to a target: a share of the calls of the last ten seconds, or a few a second if that is more.
//
//   B1. Since the beginning there were never more retries than the sum, over all seconds, of the larger of the two. Ten seconds
//       in which nothing was called count as having gone before, so that the first call is no worse off than later ones.
//       A retry is remembered for at least as long as what paid for it, so nothing is spent twice.
//
// A call costs an addition, and every second one slot is emptied; only a retry looks at all of them.
import type { BudgetPlan } from './plan.ts';
import { SLOTS, Slots } from './slots.ts';
import { type BudgetWatch, NOBODY } from './watch.ts';

const SLOT_MS = 1000;

export interface BudgetReading {
  readonly credit: number;
  readonly spent: number;
}

export class Budget {
  readonly #plan: BudgetPlan;
  readonly #watch: BudgetWatch;
  /** Of each second the calls, and marked the retries. */
  readonly #slots: Slots;

  constructor(plan: BudgetPlan, nowMs: number, watch: BudgetWatch = NOBODY) {
    this.#plan = plan;
    this.#watch = watch;
    this.#slots = new Slots(SLOT_MS, nowMs, SLOTS);
  }

  /** A call begins; its retries do not count. */
  call(nowMs: number): void {
    this.#slots.addCall(nowMs);
  }

  /** Whether one more try may be made; counts it, if so. */
  tryRetry(nowMs: number): boolean {
    const { credit, spent } = this.reading(nowMs);
    const isPaid = spent + 1 <= credit;
    this.#watch.budgetAsked(isPaid);
    if (isPaid) this.#slots.addMarked(nowMs);
    return isPaid;
  }

  /** Retries, of the last ten seconds: how many there may be, and how many there were. */
  reading(nowMs: number): BudgetReading {
    this.#slots.turn(nowMs);
    const { percent, minPerSecond } = this.#plan;
    let credit = 0;
    let spent = 0;
    for (let slot = 0; slot < this.#slots.used; slot++) {
      credit += Math.max((this.#slots.callsOf(slot) * percent) / 100, minPerSecond);
      spent += this.#slots.markedOf(slot);
    }
    return { credit, spent };
  }
}
