// For tests: two ends of a byte stream in memory, which behave as a TCP connection does, and can cut what passes into pieces.
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';

export interface LinkPairOptions {
  /** Into which pieces a write falls on its way; whole where none is given. */
  readonly cut?: (bytes: Buffer) => readonly Buffer[];
  /** `write` answers false from this many unread bytes on. */
  readonly highWaterBytes?: number;
}

/** Everything arrives in a later turn of the loop, and each piece in a turn of its own. */
export function linkPair({ cut = whole, highWaterBytes = 64 * 1024 }: LinkPairOptions = {}): [MemoryLink, MemoryLink] {
  const ends: [MemoryLink, MemoryLink] = [new MemoryLink(cut, highWaterBytes), new MemoryLink(cut, highWaterBytes)];
  ends[0].join(ends[1]);
  ends[1].join(ends[0]);
  return ends;
}

export class MemoryLink implements ByteLink {
  /** Everything that was written, for tests that count bytes and writes. */
  readonly written: Buffer[] = [];
  readonly #cut: (bytes: Buffer) => readonly Buffer[];
  readonly #highWaterBytes: number;
  #far: MemoryLink = this;
  #events: ByteLinkEvents | undefined;
  /** On the way to this end. */
  #inbox: Buffer[] = [];
  #inboxBytes = 0;
  #isPaused = false;
  #isFarEnded = false;
  #hasToldEnd = false;
  #isEnded = false;
  #isClosed = false;
  #isFarBlocked = false;
  #isScheduled = false;

  constructor(cut: (bytes: Buffer) => readonly Buffer[], highWaterBytes: number) {
    this.#cut = cut;
    this.#highWaterBytes = highWaterBytes;
  }

  join(far: MemoryLink): void {
    this.#far = far;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  listen(events: ByteLinkEvents): void {
    this.#events = events;
    this.#schedule();
  }

  write(bytes: Buffer): boolean {
    if (this.#isEnded || this.#isClosed) return true;
    this.written.push(bytes);
    return this.#far.#arrive(this.#cut(bytes).filter((piece) => piece.length > 0));
  }

  end(): void {
    if (this.#isEnded || this.#isClosed) return;
    this.#isEnded = true;
    this.#far.#isFarEnded = true;
    this.#far.#schedule();
    this.#schedule();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  destroy(): void {
    this.#close(undefined);
    this.#far.#close(Object.assign(new Error('the far side destroyed the link'), { code: 'ECONNRESET' }));
  }

  #arrive(pieces: readonly Buffer[]): boolean {
    if (this.#isClosed) return true;
    this.#inbox.push(...pieces);
    this.#inboxBytes += pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#schedule();
    this.#isFarBlocked ||= this.#inboxBytes >= this.#highWaterBytes;
    return this.#inboxBytes < this.#highWaterBytes;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#isClosed || this.#isPaused || this.#events === undefined) return;
    const piece = this.#inbox.shift();
    if (piece !== undefined) {
      this.#inboxBytes -= piece.length;
      this.#schedule();
      this.#events.data(piece);
      if (this.#inboxBytes === 0) this.#far.#unblock();
      return;
    }
    if (this.#isFarEnded && !this.#hasToldEnd) {
      this.#hasToldEnd = true;
      this.#events.ended();
      this.#schedule();
      this.#far.#schedule();
      return;
    }
    if (this.#hasToldEnd && this.#isEnded && this.#far.#hasToldEnd) this.#close(undefined);
  }

  #unblock(): void {
    if (!this.#far.#isFarBlocked) return;
    this.#far.#isFarBlocked = false;
    setImmediate(() => {
      if (!this.#isClosed) this.#events?.drained();
    });
  }

  #close(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inbox = [];
    setImmediate(() => this.#events?.closed(error));
  }
}

function whole(bytes: Buffer): readonly Buffer[] {
  return [bytes];
}

/** A cutter with these sizes, over and over. Each piece is a copy of its own, as what comes from a socket is. */
export function cutInto(sizes: readonly number[]): (bytes: Buffer) => readonly Buffer[] {
  let turn = 0;
  return (bytes) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = Math.max(1, sizes[turn++ % sizes.length] ?? 1);
      pieces.push(Buffer.from(bytes.subarray(at, at + size)));
      at += size;
    }
    return pieces;
  };
}

/** The bytes in pieces that end at these places, which are taken modulo the length. */
export function cutAt(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at
    .slice(1)
    .map((end, i) => Buffer.from(bytes.subarray(at[i], end)))
    .filter((piece) => piece.length > 0);
}
