// What a connection has to say, gathered: whatever is written in one turn of the loop leaves in one write.
//
// Heads stay strings until then, and are put beside the body into one buffer: one call of the kernel for a small message.
import type { ByteLink } from '../byte-link.ts';

/** From here on bytes are not copied together: a second write costs less. */
const COPIED_BYTES_MAX = 16 * 1024;
/** So much is not held back until the end of the turn. */
const GATHERED_BYTES_MAX = 64 * 1024;

export class Outbox {
  readonly #link: ByteLink;
  #pieces: (string | Buffer)[] = [];
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
    this.#pieces = [];
    this.#bytes = 0;
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    let from = 0;
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i];
      if (typeof piece !== 'object' || piece.length <= COPIED_BYTES_MAX) continue;
      this.#write(joined(pieces, from, i));
      this.#write(piece);
      from = i + 1;
    }
    this.#write(joined(pieces, from, pieces.length));
  }

  #add(piece: string | Buffer): void {
    if (this.#state !== 'open') return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= GATHERED_BYTES_MAX) this.flush();
    else if (!this.#isScheduled) this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#onTurnOver);
  }

  readonly #onTurnOver = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  #write(bytes: Buffer | undefined): void {
    if (bytes !== undefined && !this.#link.write(bytes)) this.#isBlocked = true;
  }
}

function joined(pieces: readonly (string | Buffer)[], from: number, to: number): Buffer | undefined {
  const first = pieces[from];
  if (from === to || first === undefined) return undefined;
  if (to - from === 1) return typeof first === 'string' ? Buffer.from(first, 'latin1') : first;
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += pieces[i]?.length ?? 0;
  const whole = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let i = from; i < to; i++) at += place(pieces[i], whole, at);
  return whole;
}

function place(piece: string | Buffer | undefined, whole: Buffer, at: number): number {
  if (piece === undefined) return 0;
  return typeof piece === 'string' ? whole.write(piece, at, 'latin1') : piece.copy(whole, at);
}
