// A call to an app that takes only so many at once (`--app-max-concurrency`): it waits for its turn, and gives that back when it is
// over, however it ended. Nothing of it reaches the app before.
import type { Flow, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Turns, TurnWaiter } from '../app/turns.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { appBusy, appUnhealthy, lateForApp } from './app-faults.ts';

export type OpenApp = (call: PermittedCall, reply: ReplyEnd) => RequestEnd;

export function openInTurn(open: OpenApp, turns: Turns, clock: Clock): OpenApp {
  return (call, reply) => {
    const inTurn = new TurnCall(call, reply, open, turns);
    inTurn.start(clock);
    return inTurn;
  };
}

interface Waiting {
  readonly kind: 'waiting';
  readonly cancelDeadline: Cancel;
  /** What was pushed meanwhile: at most what one `pause` lets through. */
  readonly held: Buffer[];
  ended: Headers | undefined;
}

interface Inside {
  readonly kind: 'inside';
  /** Undefined while it is being opened. */
  request: RequestEnd | undefined;
}

type State = Waiting | Inside | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };
const SWITCHING = 101;
const NO_DEADLINE: Cancel = () => undefined;

class TurnCall implements RequestEnd, TurnWaiter {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #open: OpenApp;
  readonly #turns: Turns;
  #state: State = DONE;
  #isRequestOver = false;
  #isReplyOver = false;

  constructor(call: PermittedCall, reply: ReplyEnd, open: OpenApp, turns: Turns) {
    this.#call = call;
    this.#reply = reply;
    this.#open = open;
    this.#turns = turns;
  }

  start(clock: Clock): void {
    if (this.#turns.take()) this.#enter();
    else if (this.#turns.wait(this)) this.#state = this.#waiting(clock);
    else this.#reply.abort(appBusy(this.#call, this.#turns));
  }

  // Its turn.

  admitted(): void {
    const state = this.#state;
    if (state.kind !== 'waiting') return;
    state.cancelDeadline();
    const inside = this.#enter();
    let flow: Flow = 'pause';
    for (const chunk of state.held) if (this.#isIn(inside)) flow = inside.request?.data(chunk) ?? 'pause';
    if (!this.#isIn(inside)) return;
    if (state.ended !== undefined) this.end(state.ended);
    else if (flow === 'ok') this.#reply.resume();
  }

  dropped(why: string): void {
    this.#refuse(appUnhealthy(this.#call, why));
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'inside') return state.request?.data(chunk) ?? 'pause';
    if (state.kind === 'done') return 'ok';
    state.held.push(chunk);
    return 'pause';
  }

  end(trailers: Headers): void {
    const state = this.#state;
    if (state.kind === 'waiting') state.ended = trailers;
    if (state.kind !== 'inside') return;
    this.#isRequestOver = true;
    state.request?.end(trailers);
    if (this.#isReplyOver) this.over();
  }

  abort(reason: Fault): void {
    this.#leave((request) => request.abort(reason));
  }

  resume(): void {
    if (this.#state.kind === 'inside') this.#state.request?.resume();
  }

  cancel(reason: Fault): void {
    this.#leave((request) => request.cancel(reason));
  }

  /** The app has answered to the end. A tunnel that stands is over when the caller's side has ended, too (E6). */
  replied(stands: boolean): void {
    this.#isReplyOver = true;
    if (!stands || this.#isRequestOver) this.over();
  }

  /** Whatever ended it was told. */
  over(): void {
    if (this.#state.kind !== 'inside') return;
    this.#state = DONE;
    this.#turns.giveBack();
  }

  #enter(): Inside {
    const inside: Inside = { kind: 'inside', request: undefined };
    this.#state = inside;
    const request = this.#open(this.#call, new TurnReply(this, this.#reply));
    // It may be over already (E4).
    if (this.#isIn(inside)) inside.request = request;
    return inside;
  }

  #isIn(inside: Inside): boolean {
    return this.#state === inside;
  }

  #waiting(clock: Clock): Waiting {
    const { deadlineMs } = this.#call;
    const late = () => this.#refuse(lateForApp(this.#call, this.#turns));
    const cancelDeadline = deadlineMs === undefined ? NO_DEADLINE : clock.after(deadlineMs - clock.elapsed(), late);
    return { kind: 'waiting', cancelDeadline, held: [], ended: undefined };
  }

  #refuse(reason: Fault): void {
    if (this.#state.kind !== 'waiting') return;
    this.#leave(() => undefined);
    this.#reply.abort(reason);
  }

  /** The turn is given back when the app was told, and has its connection back. */
  #leave(tell: (request: RequestEnd) => void): void {
    const state = this.#state;
    this.#state = DONE;
    if (state.kind === 'waiting') {
      state.cancelDeadline();
      this.#turns.leave(this);
    }
    if (state.kind !== 'inside') return;
    if (state.request !== undefined) tell(state.request);
    this.#turns.giveBack();
  }
}

/** The answer passes; its end gives the turn back. */
class TurnReply implements ReplyEnd {
  readonly #call: TurnCall;
  readonly #reply: ReplyEnd;
  /** A tunnel, and the app has agreed to it. */
  #stands = false;

  constructor(call: TurnCall, reply: ReplyEnd) {
    this.#call = call;
    this.#reply = reply;
  }

  head(head: ReplyHead): void {
    this.#stands = head.status === SWITCHING;
    this.#reply.head(head);
  }

  data(chunk: Buffer): Flow {
    return this.#reply.data(chunk);
  }

  end(trailers: Headers): void {
    this.#reply.end(trailers);
    this.#call.replied(this.#stands);
  }

  abort(reason: Fault): void {
    this.#reply.abort(reason);
    this.#call.over();
  }

  resume(): void {
    this.#reply.resume();
  }

  cancel(reason: Fault): void {
    this.#reply.cancel(reason);
    if (this.#stands) this.#call.over();
  }
}
