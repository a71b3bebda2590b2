// How long a client may keep a connection of HTTP/2 and ask for nothing. There is no timer here: the owner sweeps all its
// connections now and then, those of HTTP/1.1 too.
import type { Http2ServerConnection } from './server.ts';

export interface IdleBounds {
  readonly idleMs: number;
  /** How long its first frames may take to come, and its leaving once it was asked to. */
  readonly answerMs: number;
}

const SILENT = { kind: 'closed', reason: 'no request came, and no answer to GOAWAY' } as const;

export class IdleWatch {
  readonly #connection: Http2ServerConnection;
  readonly #bounds: IdleBounds;
  #sinceMs: number;
  #lastStreamId = 0;
  #hasBegun = false;

  constructor(connection: Http2ServerConnection, bounds: IdleBounds, nowMs: number) {
    this.#connection = connection;
    this.#bounds = bounds;
    this.#sinceMs = nowMs;
  }

  /** It has shown that it speaks HTTP/2. */
  begun(): void {
    this.#hasBegun = true;
  }

  /** Asks a connection to go that has waited for too long, and cuts off one that does not see that it was asked. */
  sweep(nowMs: number): void {
    const { streamCount, lastStreamId } = this.#connection;
    if (streamCount > 0 || lastStreamId !== this.#lastStreamId) {
      this.#lastStreamId = lastStreamId;
      this.#sinceMs = nowMs;
      return;
    }
    const { idleMs, answerMs } = this.#bounds;
    const waitedMs = nowMs - this.#sinceMs;
    if (waitedMs >= (this.#hasBegun ? idleMs + answerMs : answerMs)) this.#connection.destroy(SILENT);
    else if (waitedMs >= idleMs) this.#connection.drain();
  }
}
