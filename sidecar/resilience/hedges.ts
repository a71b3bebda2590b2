// The tries of a call that are under way beside the one that it goes by: made because that one is slow, and given up once any of
// them answers. Most calls have none.
//
//   H1. Each of them has a place of its own where the target has a limit, and gives it back once.
//   H2. Each goes to an instance that this call has not asked, which takes calls as things are, and is paid for by the retry budget.
import type { Cancel, Clock } from '../../kit/clock.ts';
import { means, type Outcome } from '../../policy/resiliency/codes.ts';
import { hedgeAfterMs } from '../../policy/resiliency/hedging.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { RetriedCall } from '../../policy/resiliency/retry.ts';
import { ANOTHER_TRY } from './call-faults.ts';
import type { Retries } from './retries.ts';
import type { TargetState } from './targets.ts';
import type { Trial } from './trial.ts';

/** The call whose tries they are. */
export interface HedgedRun {
  readonly route: RoutePlan;
  /** The try that is waited for, if it could be made elsewhere, too. */
  waitingFor(): Trial | undefined;
  retries(): Retries;
  /** Undefined: nobody takes it. */
  open(first: Trial, number: number, nowMs: number): Trial | undefined;
  launch(trial: Trial): void;
}

export class Hedges {
  readonly #run: HedgedRun;
  readonly #call: RetriedCall;
  readonly #target: TargetState;
  readonly #clock: Clock;
  readonly #trials = new Set<Trial>();
  #cancelTimer: Cancel | undefined;
  /** The highest number of a try so far. */
  lastNumber = 0;

  constructor(run: HedgedRun, call: RetriedCall, target: TargetState, clock: Clock) {
    this.#run = run;
    this.#call = call;
    this.#target = target;
    this.#clock = clock;
  }

  has(trial: Trial): boolean {
    return this.#trials.has(trial);
  }

  /** From the begin of the last try; nothing is made where there are as many as there may be. */
  later(): void {
    this.stop();
    const afterMs = hedgeAfterMs(this.#run.route, this.#call, this.#trials.size);
    if (afterMs !== undefined) this.#cancelTimer = this.#clock.after(afterMs, () => this.#hedge());
  }

  /** No more are made. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** One of all that are under way is over: the try that the call goes by from now on. Undefined: it was the last. */
  leftBy(over: Trial, first: Trial, outcome: Outcome): Trial | undefined {
    if (this.#trials.size === 0) return undefined;
    over.over(outcome, this.#clock.elapsed());
    over.request?.cancel(ANOTHER_TRY);
    if (over !== first) this.#remove(over);
    return over === first ? this.take() : first;
  }

  /** The same, of one that has answered. What the policy would try again is no answer while there may be better ones. */
  answeredBy(answering: Trial, first: Trial, outcome: Outcome): Trial {
    const { retry } = this.#run.route;
    const isBad = retry !== undefined && means(retry.matching, outcome, this.#call.kind === 'grpc' ? 'grpc' : 'http');
    const other = isBad ? this.leftBy(answering, first, outcome) : undefined;
    if (other === undefined) this.#giveUpOthers(answering, first);
    return other ?? answering;
  }

  #giveUpOthers(answering: Trial, first: Trial): void {
    this.stop();
    this.#remove(answering);
    const others = first === answering ? [] : [first];
    for (let other = this.take(); other !== undefined; other = this.take()) if (other !== first) others.push(other);
    for (const other of others) {
      other.outrun(this.#clock.elapsed());
      other.request?.cancel(ANOTHER_TRY);
    }
  }

  /** The oldest. */
  take(): Trial | undefined {
    for (const trial of this.#trials) {
      this.#remove(trial);
      return trial;
    }
    return undefined;
  }

  #hedge(): void {
    const first = this.#run.waitingFor();
    const trial = first && this.#open(first);
    if (trial === undefined) return;
    this.lastNumber = trial.number;
    this.#run.retries().tried.add(trial.member);
    this.#trials.add(trial);
    this.#target.watch.hedged();
    this.#run.launch(trial);
    if (this.#run.waitingFor() !== undefined) this.later();
  }

  #open(first: Trial): Trial | undefined {
    const { pool, limit, budget } = this.#target;
    const nowMs = this.#clock.elapsed();
    const { tried } = this.#run.retries();
    tried.add(first.member);
    pool.update(first.upstream.endpoints(), nowMs);
    if (!pool.hasWillingOther(tried) || limit?.tryEnter() === false) return undefined;
    const number = Math.max(first.number, this.lastNumber) + 1;
    const trial = budget.tryRetry(nowMs) ? this.#run.open(first, number, nowMs) : undefined;
    if (trial === undefined) limit?.leave();
    return trial;
  }

  #remove(trial: Trial): void {
    if (this.#trials.delete(trial)) this.#target.limit?.leave();
  }
}
