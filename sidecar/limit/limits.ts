// Limit: may this call come in now?
//
//   identify > authorize > [limit] > the app
//
// How often each caller may call, by the identity in its certificate; then how many calls are under way at once. What is turned
// away here has reached no app, and says so. Where no Resiliency says anything of calls to this app, there is no `Admission`, and a
// call is spared all of this.
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Inbound } from '../../policy/resiliency/inbound.ts';
import { RateLimits } from '../../policy/resiliency/limits/rate.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { OpenPermitted } from '../link/turn-call.ts';
import type { LimitsDeps } from './deps.ts';
import { tooOften } from './faults.ts';
import { Room } from './room.ts';

export class Limits {
  readonly #deps: LimitsDeps;
  #admission: Admission | undefined;

  constructor(deps: LimitsDeps) {
    this.#deps = deps;
  }

  /** Undefined: every call may come in. */
  get admission(): Admission | undefined {
    return this.#admission;
  }

  /** From the next call on. What is under way, and what callers have used up, is not forgotten. */
  use(inbound: Inbound): void {
    const isLimited = isRoomLimited(inbound) || inbound.rates.length > 0;
    if (isLimited) this.#admission ??= new Admission(this.#deps);
    this.#admission?.use(inbound);
    if (!isLimited) this.#admission = undefined;
  }
}

export class Admission {
  readonly #deps: LimitsDeps;
  readonly #rates = new RateLimits([]);
  #room: Room | undefined;

  constructor(deps: LimitsDeps) {
    this.#deps = deps;
  }

  use(inbound: Inbound): void {
    this.#rates.setRules(inbound.rates, this.#deps.clock.elapsed());
    if (isRoomLimited(inbound)) {
      if (this.#room === undefined) this.#room = new Room(inbound, this.#deps);
      else this.#room.resize(inbound);
    } else {
      this.#room?.open();
      this.#room = undefined;
    }
  }

  open(call: PermittedCall, reply: ReplyEnd, next: OpenPermitted): RequestEnd {
    const { clock, random, watch } = this.#deps;
    const tooSoonMs = this.#rates.admit(call.caller, clock.elapsed());
    if (tooSoonMs > 0) {
      watch.turnedAway('rate');
      return refuse(reply, tooOften(call, tooSoonMs, random));
    }
    return this.#room === undefined ? next(call, reply) : this.#room.enter(call, reply, next);
  }
}

function isRoomLimited({ limit, shedding }: Inbound): boolean {
  return limit !== undefined || shedding === 'gradient';
}
