// The beginning of a request body, kept so that another endpoint can be tried: cheap for the many small bodies, given up
// for a large one, which then has one attempt.
import type { Flow, RequestEnd } from '../../api/exchange.ts';
import type { Headers } from '../../api/headers.ts';

/** Per call. A body beyond it is streamed on and forgotten. */
const REPLAY_BYTES_MAX = 64 * 1024;

export class Replay {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #trailers: Headers | undefined;
  #isWhole = true;

  /** Whether all that the caller has sent so far can be sent again. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Keeps a chunk that nobody else has yet. */
  add(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
  }

  /** Keeps a chunk that is on its way already, unless the body has grown too large to be worth it. */
  addIfCheap(chunk: Buffer): void {
    if (!this.#isWhole) return;
    if (this.#bytes + chunk.length > REPLAY_BYTES_MAX) this.drop();
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
    if (this.#chunks.length > 0) this.#chunks = [];
    this.#isWhole = false;
  }
}
