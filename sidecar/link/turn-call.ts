// A call that may have to wait for its turn, where there are only so many at once: it gives its turn back when it is over, however
// it ended. Nothing of it goes on before.
import { type Flow, type ReplyEnd, type ReplyHead, type RequestEnd, SWITCHING } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { HeldBytes } from '../../kit/held-bytes.ts';
import type { InFlight, Waiter } from '../../policy/resiliency/limits/in-flight.ts';
import type { PermittedCall } from '../authorize/authorize.ts';

export type OpenPermitted = (call: PermittedCall, reply: ReplyEnd) => RequestEnd;

/** The turns that there are: who is inside, and who waits. */
export type Turns = InFlight<TurnCall>;

/** What the requests may hold that wait in one queue, all together: a queue may be long, and each may have begun its body. */
export const WAITING_BYTES_MAX = 64 * 2 ** 20;

/** Why a call gets no turn: the queue is full, or holds too many bytes; it was in the queue for too long; its deadline passed meanwhile. */
export type NoTurn = 'no-room' | 'waited-too-long' | 'past-deadline';

export interface TurnOptions {
  readonly turns: Turns;
  /** Of those who wait. */
  readonly held: HeldBytes;
  readonly clock: Clock;
  readonly refusal: (call: PermittedCall, why: NoTurn) => Fault;
}

interface Waiting {
  readonly kind: 'waiting';
  readonly leaveQueue: Cancel;
  readonly cancelDeadline: Cancel;
  /** What was pushed meanwhile: at most what one `pause` lets through. */
  readonly held: Buffer[];
  heldBytes: number;
  ended: Headers | undefined;
}

interface Inside {
  readonly kind: 'inside';
  /** Undefined while it is being opened. */
  request: RequestEnd | undefined;
}

type State = Waiting | Inside | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };
const NO_DEADLINE: Cancel = () => undefined;

export class TurnCall implements RequestEnd, Waiter {
  readonly #call: PermittedCall;
  readonly #reply: ReplyEnd;
  readonly #open: OpenPermitted;
  readonly #options: TurnOptions;
  #state: State = DONE;
  #isRequestOver = false;
  #isReplyOver = false;

  constructor(call: PermittedCall, reply: ReplyEnd, open: OpenPermitted, options: TurnOptions) {
    this.#call = call;
    this.#reply = reply;
    this.#open = open;
    this.#options = options;
  }

  start(): void {
    const { turns, refusal } = this.#options;
    if (turns.tryEnter()) {
      this.#enter();
      return;
    }
    const leaveQueue = turns.wait(this);
    if (leaveQueue === undefined) this.#reply.abort(refusal(this.#call, 'no-room'));
    else this.#state = this.#waiting(leaveQueue);
  }

  // Its turn.

  admitted(): void {
    const state = this.#state;
    if (state.kind !== 'waiting') return;
    this.#stopWaiting(state);
    const inside = this.#enter();
    let flow: Flow = 'pause';
    for (const chunk of state.held) if (this.#isIn(inside)) flow = inside.request?.data(chunk) ?? 'pause';
    if (!this.#isIn(inside)) return;
    if (state.ended !== undefined) this.end(state.ended);
    else if (flow === 'ok') this.#reply.resume();
  }

  timedOut(): void {
    this.#noTurn('waited-too-long');
  }

  /** It need not wait any longer. */
  dropped(reasonFor: (call: PermittedCall) => Fault): void {
    this.#refuse(reasonFor(this.#call));
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'inside') return state.request?.data(chunk) ?? 'pause';
    if (state.kind === 'done') return 'ok';
    if (!this.#options.held.take(chunk.length)) {
      this.#noTurn('no-room');
      return 'ok';
    }
    state.heldBytes += chunk.length;
    state.held.push(chunk);
    return 'pause';
  }

  end(trailers: Headers): void {
    const state = this.#state;
    if (state.kind === 'waiting') state.ended = trailers;
    if (state.kind !== 'inside') return;
    this.#isRequestOver = true;
    this.requestEnded();
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
    this.#options.turns.leave();
  }

  // For those who want to know how long the app takes.

  protected requestEnded(): void {}

  answerBegan(_head: ReplyHead): void {}

  #enter(): Inside {
    const inside: Inside = { kind: 'inside', request: undefined };
    this.#state = inside;
    const request = this.#openOrGiveBack();
    // It may be over already (E4).
    if (this.#isIn(inside)) inside.request = request;
    return inside;
  }

  /** A bug ends this call (way/flights.ts), and has no turn for ever. */
  #openOrGiveBack(): RequestEnd {
    try {
      return this.#open(this.#call, new TurnReply(this, this.#reply));
    } catch (error) {
      this.over();
      throw error;
    }
  }

  #isIn(inside: Inside): boolean {
    return this.#state === inside;
  }

  #waiting(leaveQueue: Cancel): Waiting {
    const { deadlineMs } = this.#call;
    const { clock } = this.#options;
    const late = () => this.#noTurn('past-deadline');
    const cancelDeadline = deadlineMs === undefined ? NO_DEADLINE : clock.after(deadlineMs - clock.elapsed(), late);
    return { kind: 'waiting', leaveQueue, cancelDeadline, held: [], heldBytes: 0, ended: undefined };
  }

  #stopWaiting({ cancelDeadline, heldBytes }: Waiting): void {
    cancelDeadline();
    this.#options.held.give(heldBytes);
  }

  #noTurn(why: NoTurn): void {
    this.#refuse(this.#options.refusal(this.#call, why));
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
      this.#stopWaiting(state);
      state.leaveQueue();
    }
    if (state.kind !== 'inside') return;
    if (state.request !== undefined) tell(state.request);
    this.#options.turns.leave();
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
    this.#call.answerBegan(head);
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
