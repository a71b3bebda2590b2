// An instance as the simulation has it: some workers, a queue before them, and a state that scenarios change. What was begun is
// done to its end, though its caller may have given up: that is how real overload stays.

import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import type { Instance } from '../../policy/resiliency/pick/member.ts';

/** One way, and the same for all. */
const NETWORK_MS = 0.25;
const WORKERS = 4;

const OK: Outcome = { kind: 'answer', protocol: 'http', status: 200 };
const UNREACHABLE: Outcome = { kind: 'fault', code: 'peer-unreachable' };
const DRAINING: Outcome = { kind: 'fault', code: 'draining' };

export interface ServerDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** The mean time that a call takes a worker. */
  readonly serviceMs: number;
}

export class Server {
  readonly instance: Instance;
  state: 'up' | 'dead' | 'draining' = 'up';
  /** How much longer than usual everything takes. */
  slowness = 1;
  /** Calls that it was sent. */
  calls = 0;
  readonly #deps: ServerDeps;
  #busy = 0;
  readonly #queue: ((outcome: Outcome) => void)[] = [];

  constructor(instance: Instance, deps: ServerDeps) {
    this.instance = instance;
    this.#deps = deps;
  }

  call(done: (outcome: Outcome) => void): void {
    this.calls++;
    const { clock } = this.#deps;
    const answer = (outcome: Outcome) => void clock.after(NETWORK_MS, () => done(outcome));
    clock.after(NETWORK_MS, () => {
      if (this.state === 'dead') answer(UNREACHABLE);
      else if (this.state === 'draining') answer(DRAINING);
      else if (this.#busy < WORKERS) this.#work(answer);
      else this.#queue.push(answer);
    });
  }

  #work(answer: (outcome: Outcome) => void): void {
    this.#busy++;
    const { clock, random, serviceMs } = this.#deps;
    // Between half the mean and, seldom, several times that.
    const tookMs = serviceMs * this.slowness * (0.5 - 0.5 * Math.log(1 - random()));
    clock.after(tookMs, () => {
      this.#busy--;
      answer(OK);
      const next = this.#queue.shift();
      if (next !== undefined) this.#work(next);
    });
  }
}
