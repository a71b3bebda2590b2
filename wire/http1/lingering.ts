// The end of a server's connection. Our side is over, and what still comes is read and thrown away for a while: if the
// connection were closed with bytes unread, the kernel would answer with a reset, which may reach the client before it has
// read what was said to it.
import type { Outbox } from './outbox.ts';
import type { Http1ServerOptions } from './server-options.ts';

const LINGER_MS = 5000;
/** An app at a breakpoint reads nothing for as long as it takes. */
export const UNREAD_MS = Number.POSITIVE_INFINITY;

export class Lingering {
  readonly kind = 'lingering';
  readonly #outbox: Outbox;
  readonly #options: Http1ServerOptions;
  #bytesLeft: number;
  #sinceMs = 0;

  /** Begins it. */
  constructor(outbox: Outbox, options: Http1ServerOptions, bytesMax: number) {
    this.#outbox = outbox;
    this.#options = options;
    this.#bytesLeft = bytesMax;
    outbox.flush();
    this.#end();
  }

  /** So many more bytes have come. */
  discard(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) this.#outbox.destroy();
  }

  /** However slowly the client reads, the time runs from the end of what there is to read. */
  drained(): void {
    this.#end();
  }

  sweep(nowMs: number): void {
    const { lingerMs = LINGER_MS, unreadMs = UNREAD_MS } = this.#options;
    if (nowMs - this.#sinceMs >= (this.#outbox.isBlocked ? unreadMs : lingerMs)) this.#outbox.destroy();
  }

  #end(): void {
    this.#sinceMs = this.#options.elapsedMs();
    if (!this.#outbox.isBlocked) this.#outbox.end();
  }
}
