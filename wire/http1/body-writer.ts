// The body of a message of ours: delimited as its head says, and never longer or shorter than that.
import type { Fields } from '../message.ts';
import type { Outbox } from './outbox.ts';
import { type Delimiting, writeLastChunk } from './write-head.ts';

/** What the pusher of a body got wrong; the message cannot be completed then. */
export type BodyFlaw = 'body-longer-than-declared' | 'body-shorter-than-declared' | 'trailers';

/** One for a connection, used for one body after the other. */
export class BodyWriter {
  readonly #outbox: Outbox;
  #delimiting: Delimiting = 'none';
  #leftBytes = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** `bodyBytes` is the length, where that delimits. */
  begin(delimiting: Delimiting, bodyBytes: number | undefined): void {
    this.#delimiting = delimiting;
    this.#leftBytes = bodyBytes ?? 0;
  }

  data(chunk: Buffer): BodyFlaw | undefined {
    if (chunk.length === 0) return undefined;
    switch (this.#delimiting) {
      case 'none':
        return undefined;
      case 'close':
        this.#outbox.bytes(chunk);
        return undefined;
      case 'length':
        this.#leftBytes -= chunk.length;
        if (this.#leftBytes < 0) return 'body-longer-than-declared';
        this.#outbox.bytes(chunk);
        return undefined;
      case 'chunked':
        this.#outbox.text(`${chunk.length.toString(16)}\r\n`);
        this.#outbox.bytes(chunk);
        this.#outbox.text('\r\n');
        return undefined;
    }
  }

  end(trailers: Fields): BodyFlaw | undefined {
    if (this.#delimiting === 'length' && this.#leftBytes > 0) return 'body-shorter-than-declared';
    if (this.#delimiting !== 'chunked') return undefined;
    const last = writeLastChunk(trailers);
    if (!last.ok) return 'trailers';
    this.#outbox.text(last.value);
    return undefined;
  }
}
