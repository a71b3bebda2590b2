// The beginning of a request body, kept so that another endpoint can be tried: cheap for the many small bodies, given up
// for a large one, which then has one attempt.
import type { Flow, RequestEnd } from '../../api/exchange.ts';
import type { Headers } from '../../api/headers.ts';

/** Per call. A body beyond it is streamed on and forgotten. */
const REPLAY_BYTES_MAX = 64 * 1024;

/** Of all calls together: beyond it calls have one attempt, and nobody can fill the memory with what is kept for them. */
const KEPT_BYTES_MAX = 16 * 2 ** 20;

/** Shared, and never pushed onto: many calls have no body to keep. */
const NO_CHUNKS: Buffer[] = [];

/** How much is kept of all calls together. */
export class Kept {
  bytes = 0;
}

export class Replay {
  readonly #kept: Kept;
  #chunks = NO_CHUNKS;
  #bytes = 0;
  #trailers: Headers | undefined;
  #isWhole = true;

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  /** Whether all that the caller has sent so far can be sent again. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether the caller has sent nothing yet that could be sent again. */
  get isEmpty(): boolean {
    return this.#chunks.length === 0 && this.#trailers === undefined;
  }

  /** Whether the caller has sent its whole request. */
  get hasEnded(): boolean {
    return this.#trailers !== undefined;
  }

  /** Keeps a chunk that nobody else has yet. */
  add(chunk: Buffer): void {
    this.#kept.bytes += chunk.length;
    this.#bytes += chunk.length;
    // Most bodies are one chunk, and a list of one takes a tenth of what a list takes that something was pushed onto.
    if (this.#chunks === NO_CHUNKS) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
  }

  /** Keeps a chunk that is on its way already, unless the body, or what is kept in all, has grown too large to be worth it. */
  addIfCheap(chunk: Buffer): void {
    if (!this.#isWhole) return;
    const isTooMuch = this.#bytes + chunk.length > REPLAY_BYTES_MAX || this.#kept.bytes + chunk.length > KEPT_BYTES_MAX;
    if (isTooMuch) this.drop();
    else this.add(chunk);
  }

  finish(trailers: Headers): void {
    this.#trailers = trailers;
  }

  /** Pushes everything so far, and says what the receiver said last. */
  into(request: RequestEnd): Flow {
    let flow: Flow = 'ok';
    for (const chunk of this.#chunks) flow = request.data(chunk);
    if (this.#trailers !== undefined) request.end(this.#trailers);
    return flow;
  }

  drop(): void {
    this.#kept.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = NO_CHUNKS;
    this.#isWhole = false;
  }
}
