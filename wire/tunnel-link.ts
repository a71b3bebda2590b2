// The bare bytes of a tunnel at a server, as a link: what another protocol is spoken over once HTTP has switched to it.
import type { ByteLink, ByteLinkEvents } from './byte-link.ts';
import { GIVEN_UP, type RequestReceiver, type Responder } from './message.ts';

/** Nothing may be written before the responder was given the head with 101. */
export class TunnelLink implements ByteLink {
  /** What the request's connection is to push into. */
  readonly receiver: RequestReceiver = {
    data: (chunk) => {
      this.#events?.data(chunk);
      return this.#isPaused ? 'pause' : 'ok';
    },
    end: () => {
      this.#hasFarEnded = true;
      this.#events?.ended();
      if (this.#hasNearEnded) this.#close();
    },
    resume: () => this.#events?.drained(),
    abort: () => this.#close(),
    cancel: () => this.#close(),
  };
  readonly #responder: Responder;
  #events: ByteLinkEvents | undefined;
  #isPaused = false;
  #isClosed = false;
  #hasNearEnded = false;
  #hasFarEnded = false;

  constructor(responder: Responder) {
    this.#responder = responder;
  }

  listen(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Buffer): boolean {
    return this.#responder.data(bytes) === 'ok';
  }

  end(): void {
    this.#hasNearEnded = true;
    this.#responder.end([]);
    if (this.#hasFarEnded) this.#close();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#responder.resume();
  }

  destroy(): void {
    this.#responder.abort(GIVEN_UP);
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    queueMicrotask(() => this.#events?.closed(undefined));
  }
}
