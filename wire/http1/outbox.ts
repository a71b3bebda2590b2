// What a connection has to say, gathered: whatever is written in one turn of the loop leaves in one write.
//
// Heads stay strings until then, and are put beside the body into one buffer: one call of the kernel for a small message.
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import type { ByteLink } from '../byte-link.ts';
import { SLAB_BYTES, Slab } from '../slabs.ts';

/** From here on bytes are not copied together: a second write costs less. */
const COPIED_BYTES_MAX = 16 * 1024;
/** So much is not held back until the end of the turn. */
const GATHERED_BYTES_MAX = SLAB_BYTES;
/** A longer list is not kept for the next turn. */
const PLACES_MAX = 16;

type Piece = string | Buffer;

export class Outbox implements TurnTask {
  readonly #link: ByteLink;
  /** The first `#count` of these; the places stay, to be filled again. */
  #pieces: (Piece | undefined)[] = [];
  #count = 0;
  #bytes = 0;
  #isScheduled = false;
  #isBlocked = false;
  #state: 'open' | 'ended' | 'gone' = 'open';

  constructor(link: ByteLink) {
    this.#link = link;
  }

  /** Whether the far side reads more slowly than is written here; `drained` will follow. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** One character per byte (latin1). */
  text(text: string): void {
    this.#add(text);
  }

  bytes(bytes: Buffer): void {
    if (bytes.length > 0) this.#add(bytes);
  }

  drained(): void {
    this.#isBlocked = false;
  }

  /** Nothing more will be written. */
  end(): void {
    if (this.#state !== 'open') return;
    this.flush();
    this.#state = 'ended';
    this.#link.end();
  }

  /** Throws away what was not sent. */
  destroy(): void {
    if (this.#state === 'gone') return;
    this.drop();
    this.#link.destroy();
  }

  /** The link is gone. */
  drop(): void {
    this.#state = 'gone';
    this.#forget();
  }

  flush(): void {
    if (this.#count === 0) return;
    if (this.#bytes > COPIED_BYTES_MAX) {
      this.#flushMuch();
      return;
    }
    this.#writeJoined(this.#pieces, 0, this.#count, this.#bytes);
    this.#forget();
  }

  turnOver(): void {
    this.#isScheduled = false;
    this.flush();
  }

  #add(piece: Piece): void {
    if (this.#state !== 'open') return;
    this.#pieces[this.#count++] = piece;
    this.#bytes += piece.length;
    if (this.#bytes >= GATHERED_BYTES_MAX) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      atTurnEnd(this);
    }
  }

  #flushMuch(): void {
    const pieces = this.#pieces;
    const count = this.#count;
    this.#pieces = [];
    this.#forget();
    let from = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const piece = pieces[i] ?? '';
      if (typeof piece !== 'object' || piece.length <= COPIED_BYTES_MAX) {
        bytes += piece.length;
        continue;
      }
      if (bytes > 0) this.#writeJoined(pieces, from, i, bytes);
      this.#write(piece);
      from = i + 1;
      bytes = 0;
    }
    if (bytes > 0) this.#writeJoined(pieces, from, count, bytes);
  }

  #forget(): void {
    if (this.#pieces.length > PLACES_MAX) this.#pieces = [];
    else for (let i = 0; i < this.#count; i++) this.#pieces[i] = undefined;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** These pieces, which have so many bytes, in one write. */
  #writeJoined(pieces: readonly (Piece | undefined)[], from: number, to: number, bytes: number): void {
    const first = pieces[from];
    if (to - from === 1 && typeof first === 'object') {
      this.#write(first);
    } else if (bytes > SLAB_BYTES) {
      const whole = Buffer.allocUnsafeSlow(bytes);
      place(pieces, from, to, whole, 0);
      this.#write(whole);
    } else {
      const slab = Slab.take(bytes);
      if (!slab.write(this.#link, place(pieces, from, to, slab.bytes, slab.used))) this.#isBlocked = true;
    }
  }

  #write(bytes: Buffer): void {
    if (!this.#link.write(bytes)) this.#isBlocked = true;
  }
}

/** Puts the pieces where `start` is; where they end. */
function place(pieces: readonly (Piece | undefined)[], from: number, to: number, whole: Buffer, start: number): number {
  let at = start;
  for (let i = from; i < to; i++) {
    const piece = pieces[i] ?? '';
    if (typeof piece === 'string') whole.write(piece, at, 'latin1');
    else whole.set(piece, at);
    at += piece.length;
  }
  return at;
}
