// A tunnel under way: over when both messages have ended, or when anything breaks (E6).
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { Flight, SWITCHING } from './flight.ts';

const NO_TRAILERS: Headers = [];

export class TunnelFlight extends Flight {
  #isRequestOver = false;
  #isReplyOver = false;

  override end(trailers: Headers): void {
    this.#isRequestOver = true;
    super.end(trailers);
    if (this.#isReplyOver) this.complete();
  }

  override replied(reason: Fault | undefined, trailers: Headers): void {
    if (reason !== undefined || this.#isRequestOver || !this.#stands) {
      super.replied(reason, trailers);
    } else if (!this.#isReplyOver) {
      this.#isReplyOver = true;
      this.reply.caller.end(NO_TRAILERS);
    }
  }

  override unwanted(reason: Fault): void {
    this.replied(reason, NO_TRAILERS);
  }

  override foundEndless(): void {
    super.foundEndless();
    if (this.#stands) this.host.tunnelOpened(this.direction);
  }

  /** The app has agreed. What it answers otherwise is an answer as any other. */
  get #stands(): boolean {
    return this.reply.status === SWITCHING;
  }
}
