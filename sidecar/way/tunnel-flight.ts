// A tunnel under way: over when both messages have ended, or when anything breaks (E6).
import type { OutboundCall } from '../../api/call.ts';
import { type Flow, type ReplyEnd, SWITCHING } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { type Headers, NO_HEADERS } from '../../api/headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { FrameMeter } from '../../wire/web-socket/frames.ts';
import { Eviction, MeteredReply } from './eviction.ts';
import { type Direction, Flight, type FlightHost } from './flight.ts';

const WEB_SOCKET = 'websocket';

/** Of a WebSocket that comes in: whether each side is between two frames. */
interface Meters {
  readonly toApp: FrameMeter;
  readonly toCaller: FrameMeter;
}

export class TunnelFlight extends Flight {
  readonly #meters: Meters | undefined;
  #isRequestOver = false;
  #isReplyOver = false;
  #eviction: Eviction | undefined;

  constructor(direction: Direction, call: OutboundCall, caller: ReplyEnd, clock: Clock, host: FlightHost) {
    const isWatched = direction === 'inbound' && call.kind === 'tunnel' && call.protocol === WEB_SOCKET;
    const metered = isWatched ? new MeteredReply(caller) : undefined;
    super(direction, call, metered ?? caller, clock, host);
    this.#meters = metered && { toApp: new FrameMeter(), toCaller: metered.meter };
  }

  override data(chunk: Buffer): Flow {
    this.#meters?.toApp.push(chunk);
    return super.data(chunk);
  }

  override end(trailers: Headers): void {
    this.#isRequestOver = true;
    this.#eviction?.callerGone();
    super.end(trailers);
    if (this.#isReplyOver) this.complete();
  }

  override abort(reason: Fault): void {
    this.#eviction?.callerGone();
    super.abort(reason);
  }

  override cancel(reason: Fault): void {
    this.#eviction?.callerGone();
    super.cancel(reason);
  }

  override replied(reason: Fault | undefined, trailers: Headers): void {
    if (this.#eviction !== undefined) {
      this.#eviction.end();
    } else if (reason !== undefined || this.#isRequestOver || !this.#stands) {
      super.replied(reason, trailers);
    } else if (!this.#isReplyOver) {
      this.#isReplyOver = true;
      this.reply.caller.end(NO_HEADERS);
    }
  }

  override unwanted(reason: Fault): void {
    this.replied(reason, NO_HEADERS);
  }

  override foundEndless(): void {
    super.foundEndless();
    if (this.#stands) this.host.tunnelOpened(this.direction);
  }

  /** A WebSocket is closed in its own words, as far as that can be done. */
  protected override evict(reason: Fault): void {
    const meters = this.#meters;
    if (meters === undefined || !this.#stands) {
      super.evict(reason);
      return;
    }
    const { caller } = this.reply;
    const app = this.land();
    this.#eviction = new Eviction(
      { end: caller, isBetweenFrames: meters.toCaller.isBetweenFrames && !this.#isReplyOver },
      { end: app, isBetweenFrames: meters.toApp.isBetweenFrames && !this.#isRequestOver },
      reason,
      this.clock,
    );
    if (this.#isRequestOver) this.#eviction.callerGone();
    this.reply.caller = this.#eviction;
    this.tell(reason);
  }

  /** The app has agreed. What it answers otherwise is an answer as any other. */
  get #stands(): boolean {
    return this.reply.status === SWITCHING;
  }
}
