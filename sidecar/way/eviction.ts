// The end of a WebSocket that policies no longer permit: nothing more passes, and each side is told so by a close frame, 1008, if
// what it was sent last is a whole frame; if not, its connection breaks off. Whoever has not hung up a second later is cut off.
import type { Flow, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { type Headers, NO_HEADERS } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { closeFrame, FrameMeter } from '../../wire/web-socket/frames.ts';

/** RFC 6455, 7.4.1: what was received violates a policy. */
const POLICY_VIOLATION = 1008;
const REASON = 'access policies no longer permit it';
const HANG_UP_MS = 1000;

/** Who is at one side, and whether a frame may be said there. */
export interface Side<End> {
  readonly end: End;
  readonly isBetweenFrames: boolean;
}

/** What is left of the tunnel: hears either side out, and passes nothing on. */
export class Eviction implements RequestEnd, ReplyEnd {
  readonly #reason: Fault;
  readonly #cancelTimer: Cancel;
  /** Those that have not hung up yet. */
  #caller: ReplyEnd | undefined;
  #app: RequestEnd | undefined;

  constructor(caller: Side<ReplyEnd>, app: Side<RequestEnd>, reason: Fault, clock: Clock) {
    this.#reason = reason;
    this.#caller = caller.end;
    this.#app = app.end;
    this.#cancelTimer = clock.after(HANG_UP_MS, () => this.cut());
    if (!caller.isBetweenFrames) this.#cutCaller();
    if (!app.isBetweenFrames) this.#cutApp();
    this.#caller?.data(closeFrame(POLICY_VIOLATION, REASON, false));
    this.#caller?.end(NO_HEADERS);
    this.#app?.data(closeFrame(POLICY_VIOLATION, REASON, true));
    this.#app?.end(NO_HEADERS);
    // Whoever was asked to pause would not come as far as hanging up.
    this.#caller?.resume();
    this.#app?.resume();
  }

  cut(): void {
    this.#cutCaller();
    this.#cutApp();
  }

  /** The caller's side has ended its message, or all. */
  callerGone(): void {
    this.#caller = undefined;
    this.#settle();
  }

  data(): Flow {
    return 'ok';
  }

  head(_head: ReplyHead): void {}

  resume(): void {}

  /** Of the reply: the app has hung up. What the caller says comes to `callerGone`. */
  end(): void {
    this.#app = undefined;
    this.#settle();
  }

  abort(): void {
    this.end();
  }

  cancel(): void {
    this.end();
  }

  #cutCaller(): void {
    const caller = this.#caller;
    this.callerGone();
    caller?.abort(this.#reason);
  }

  #cutApp(): void {
    const app = this.#app;
    this.end();
    app?.cancel(this.#reason);
  }

  #settle(): void {
    if (this.#caller === undefined && this.#app === undefined) this.#cancelTimer();
  }
}

/** The caller's end of a WebSocket, and where in its frames it is. */
export class MeteredReply implements ReplyEnd {
  readonly meter = new FrameMeter();
  readonly #reply: ReplyEnd;

  constructor(reply: ReplyEnd) {
    this.#reply = reply;
  }

  head(head: ReplyHead): void {
    this.#reply.head(head);
  }

  data(chunk: Buffer): Flow {
    this.meter.push(chunk);
    return this.#reply.data(chunk);
  }

  end(trailers: Headers): void {
    this.#reply.end(trailers);
  }

  abort(reason: Fault): void {
    this.#reply.abort(reason);
  }

  resume(): void {
    this.#reply.resume();
  }

  cancel(reason: Fault): void {
    this.#reply.cancel(reason);
  }
}
