// Once policies have changed: each call that is open is judged again, and those that may not go on are ended.
//
// There may be thousands, so some at a time, and between them the loop turns. Each is judged by what holds at that moment; a change
// meanwhile begins the walk anew when it is through, so that changes that come fast leave nobody out.
import type { Call } from '../../api/call.ts';
import type { Fault } from '../../api/fault.ts';
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import type { Flight } from './flight.ts';

/** A decision takes microseconds. */
const AT_ONCE = 200;

/** Why an open call may not go on; undefined when it may. */
export type Recall = (call: Call) => Fault | undefined;

export class Rejudging implements TurnTask {
  readonly #open: () => readonly Flight[];
  readonly #recall: Recall;
  #toJudge: readonly Flight[] | undefined;
  #at = 0;
  #isOutdated = false;

  constructor(open: () => readonly Flight[], recall: Recall) {
    this.#open = open;
    this.#recall = recall;
  }

  begin(): void {
    this.#isOutdated = true;
    if (this.#toJudge === undefined) this.turnOver();
  }

  turnOver(): void {
    if (this.#toJudge === undefined) {
      this.#isOutdated = false;
      this.#toJudge = this.#open();
      this.#at = 0;
    }
    const end = Math.min(this.#at + AT_ONCE, this.#toJudge.length);
    for (; this.#at < end; this.#at++) this.#toJudge[this.#at]?.rejudge(this.#recall);
    if (this.#at === this.#toJudge.length) this.#toJudge = undefined;
    if (this.#toJudge !== undefined || this.#isOutdated) atTurnEnd(this);
  }
}
