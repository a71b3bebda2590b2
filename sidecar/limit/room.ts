// How many calls are under way in this app, whoever makes them; those beyond wait, or are turned away. The limit is what a Resiliency
// says, or it is found out from how long the app takes to answer.
import type { ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import { headerValue } from '../../api/headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import type { Inbound } from '../../policy/resiliency/inbound.ts';
import { Gradient, type GradientBounds } from '../../policy/resiliency/limits/gradient.ts';
import { InFlight, type InFlightBounds } from '../../policy/resiliency/limits/in-flight.ts';
import type { LimitPlan } from '../../policy/resiliency/plan.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { type OpenPermitted, TurnCall, type TurnOptions, type Turns, WAITING_BYTES_MAX } from '../link/turn-call.ts';
import type { LimitsDeps } from './deps.ts';
import { noRoom } from './faults.ts';

/** Between these a limit is looked for; fewer than the least would say more of single calls than of the app. */
const FOUND_MIN = 4;
const FOUND_MAX = 10_000;

/** Everybody may come in. */
const OPEN: InFlightBounds = {
  limit: Number.POSITIVE_INFINITY,
  queueSize: 0,
  queueTimeoutMs: Number.POSITIVE_INFINITY,
};

export class Room {
  readonly #deps: LimitsDeps;
  readonly #turns: Turns;
  readonly #options: TurnOptions;
  #gradient: Gradient | undefined;

  constructor(inbound: Inbound, deps: LimitsDeps) {
    this.#deps = deps;
    const { clock, random, watch, underWay } = deps;
    this.#gradient = this.#gradientOf(inbound);
    this.#turns = new InFlight({
      clock,
      ...this.#boundsOf(inbound.limit),
      inside: underWay(() => this.#turns.leave()),
      told: (count) => watch.waiting(count),
    });
    this.#options = {
      turns: this.#turns,
      held: new HeldBytes(WAITING_BYTES_MAX),
      clock,
      refusal: (call, why) => {
        watch.turnedAway(why);
        return noRoom(call, why, this.#turns.bounds, random);
      },
    };
    watch.limitIs(this.#turns.bounds.limit);
  }

  enter(call: PermittedCall, reply: ReplyEnd, next: OpenPermitted): RequestEnd {
    const entering =
      this.#gradient === undefined
        ? new TurnCall(call, reply, next, this.#options)
        : new TimedCall(call, reply, next, this.#options, this);
    entering.start();
    return entering;
  }

  /** The app has begun to answer a call, and well. */
  answered(tookMs: number): void {
    const gradient = this.#gradient;
    if (gradient === undefined) return;
    const hasChanged = gradient.sample(tookMs, this.#turns.inside, this.#deps.clock.elapsed());
    if (hasChanged) this.#setBounds({ ...this.#turns.bounds, limit: gradient.limit });
  }

  resize(inbound: Inbound): void {
    this.#gradient = this.#gradientOf(inbound);
    this.#setBounds(this.#boundsOf(inbound.limit));
  }

  /** There is no limit any more: who waits comes in. */
  open(): void {
    this.#turns.setBounds(OPEN);
    this.#deps.watch.limitIs(undefined);
  }

  #setBounds(bounds: InFlightBounds): void {
    this.#deps.watch.limitIs(bounds.limit);
    this.#turns.setBounds(bounds);
  }

  #gradientOf({ limit, shedding }: Inbound): Gradient | undefined {
    if (shedding === 'none') return undefined;
    const max = limit?.maxInFlight ?? FOUND_MAX;
    const bounds: GradientBounds = { min: Math.min(FOUND_MIN, max), max };
    this.#gradient?.setBounds(bounds);
    return this.#gradient ?? new Gradient(bounds, this.#deps.clock.elapsed());
  }

  /** Without a queue of its own, whatever does not come in at once is turned away. */
  #boundsOf(plan: LimitPlan | undefined): InFlightBounds {
    const { maxInFlight = OPEN.limit, queueSize = 0, queueTimeoutMs = OPEN.queueTimeoutMs } = plan ?? {};
    return { limit: this.#gradient?.limit ?? maxInFlight, queueSize, queueTimeoutMs };
  }
}

/**
 * Measures how long the app takes from the end of a request to the beginning of its answer. How fast its caller sends and reads has
 * no part in that: else one slow caller could make an app look slow, and its limit fall.
 */
class TimedCall extends TurnCall {
  readonly #room: Room;
  readonly #clock: Clock;
  /** Undefined: it has not, or it is a call whose answer need not wait for that. */
  #requestEndedMs: number | undefined;

  constructor(call: PermittedCall, reply: ReplyEnd, next: OpenPermitted, options: TurnOptions, room: Room) {
    super(call, reply, next, options);
    this.#room = room;
    this.#clock = options.clock;
  }

  protected override requestEnded(): void {
    this.#requestEndedMs = this.#clock.elapsed();
  }

  override answerBegan(head: ReplyHead): void {
    if (this.#requestEndedMs !== undefined && goesWell(head))
      this.#room.answered(this.#clock.elapsed() - this.#requestEndedMs);
  }
}

/** Whoever fails may do so at once, and that says nothing of how fast it can be. */
function goesWell({ status, headers, grpc }: ReplyHead): boolean {
  const grpcStatus = headerValue(headers, 'grpc-status') ?? '0';
  return status >= 200 && status < 400 && (grpc?.code ?? 0) === 0 && grpcStatus === '0';
}
