// A sidecar that calls, as the simulation has it: the real pool, budget and retry rules of policy/resiliency, joined as a
// sidecar joins them.
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { Budget } from '../../policy/resiliency/budget.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import { reportOf } from '../../policy/resiliency/eject.ts';
import type { Instance, Member } from '../../policy/resiliency/pick/member.ts';
import { Pool } from '../../policy/resiliency/pick/pool.ts';
import type { RoutePlan, TargetPlan } from '../../policy/resiliency/plan.ts';
import { again, NEVER_TRIED, type Tried } from '../../policy/resiliency/retry.ts';

const CALL = { kind: 'http', method: 'GET', path: '/' } as const;

/** A call from its begin on. */
export interface CallRecord {
  readonly beganMs: number;
  /** Undefined: it is under way. */
  readonly endedMs: number | undefined;
  readonly isSuccess: boolean;
  readonly tries: number;
}

export interface ClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly plan: TargetPlan;
  /** Who there is, as the names say just now. */
  readonly instances: () => readonly Instance[];
  readonly send: (instance: Instance, done: (outcome: Outcome) => void) => void;
  readonly began: (call: CallRecord) => void;
}

export class Client {
  readonly #deps: ClientDeps;
  readonly #pool: Pool;
  readonly #budget: Budget;
  readonly #route: RoutePlan;

  constructor(deps: ClientDeps) {
    const { plan, random, clock } = deps;
    this.#deps = deps;
    this.#pool = new Pool({ balancing: plan.balancing, ejection: plan.ejection, random }, clock.elapsed());
    this.#budget = new Budget(plan.budget, clock.elapsed());
    this.#route = plan.routes.of(CALL);
  }

  call(): void {
    const nowMs = this.#deps.clock.elapsed();
    this.#budget.call(nowMs);
    const run: Run = {
      beganMs: nowMs,
      endedMs: undefined,
      isSuccess: false,
      tries: 0,
      tried: NEVER_TRIED,
      members: undefined,
    };
    this.#deps.began(run);
    this.#try(run);
  }

  #try(run: Run): void {
    const { clock, instances, send } = this.#deps;
    const beganMs = clock.elapsed();
    this.#pool.update(instances(), beganMs);
    const member = this.#pool.pick(beganMs, run.members && { tried: run.members });
    if (member === undefined) {
      this.#end(run, false);
      return;
    }
    run.tries++;
    let isOver = false;
    const over = (outcome: Outcome) => {
      if (isOver) return;
      isOver = true;
      cancel?.();
      const nowMs = clock.elapsed();
      this.#pool.done(member, reportOf(outcome), nowMs, nowMs - beganMs);
      this.#after(run, member, outcome);
    };
    const { tryTimeoutMs } = this.#route;
    const cancel =
      tryTimeoutMs === undefined ? undefined : clock.after(tryTimeoutMs, () => over({ kind: 'try-timeout' }));
    send(member.instance, over);
  }

  #after(run: Run, member: Member, outcome: Outcome): void {
    const { clock, plan, random } = this.#deps;
    if (outcome.kind === 'answer' && outcome.status < 400) {
      this.#end(run, true);
      return;
    }
    const next = again(CALL, outcome, run.tried, { route: this.#route, builtIn: plan.builtIn, random });
    if (next.kind === 'no' || !this.#budget.tryRetry(clock.elapsed())) {
      this.#end(run, false);
      return;
    }
    run.tried = { ...run.tried, [next.by]: run.tried[next.by] + 1 };
    run.members ??= new Set();
    if (next.where === 'elsewhere') run.members.add(member);
    clock.after(next.afterMs, () => this.#try(run));
  }

  #end(run: Run, isSuccess: boolean): void {
    run.endedMs = this.#deps.clock.elapsed();
    run.isSuccess = isSuccess;
  }
}

interface Run extends CallRecord {
  endedMs: number | undefined;
  isSuccess: boolean;
  tries: number;
  tried: Tried;
  members: Set<Member> | undefined;
}
