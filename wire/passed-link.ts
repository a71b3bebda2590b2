// A link that is passed on from one protocol to the next: who listens may change.
import type { ByteLink, ByteLinkEvents, Lent } from './byte-link.ts';

export class PassedLink implements ByteLink, ByteLinkEvents {
  readonly #link: ByteLink;
  readonly #closed: (() => void) | undefined;
  #events: ByteLinkEvents | undefined;

  /** `closed` comes last, whoever listens then. */
  constructor(link: ByteLink, closed?: () => void) {
    this.#link = link;
    this.#closed = closed;
    link.listen(this);
  }

  // What is said to the link.

  /** From now on. */
  listen(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Buffer, lent?: Lent): boolean {
    return this.#link.write(bytes, lent);
  }

  end(): void {
    this.#link.end();
  }

  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  destroy(): void {
    this.#link.destroy();
  }

  // What the link says.

  data(chunk: Buffer): void {
    this.#events?.data(chunk);
  }

  drained(): void {
    this.#events?.drained();
  }

  ended(): void {
    this.#events?.ended();
  }

  closed(error: Error | undefined): void {
    this.#events?.closed(error);
    this.#closed?.();
  }
}
