// The first bytes of a connection, which tell the protocol that the client speaks (RFC 9113, 3.3).
import type { ByteLinkEvents } from './byte-link.ts';
import { PREFACE } from './http2/protocol.ts';
import type { PassedLink } from './passed-link.ts';

export type HttpProtocol = 'http/1.1' | 'http/2';

/** What no request of HTTP/1.1 begins with. */
const BEGINNING = PREFACE.subarray(0, 'PRI * HTTP/2.0'.length);

export class HttpOpening implements ByteLinkEvents {
  readonly #link: PassedLink;
  readonly #elapsedMs: () => number;
  readonly #begin: (protocol: HttpProtocol) => void;
  /** Bytes that could become either. */
  #held: Buffer = Buffer.alloc(0);
  /** Since when it has waited, for the first byte or for more of them. */
  #sinceMs: number;

  /** `begin` makes whoever speaks the protocol listen to the link. */
  constructor(link: PassedLink, elapsedMs: () => number, begin: (protocol: HttpProtocol) => void) {
    this.#link = link;
    this.#elapsedMs = elapsedMs;
    this.#begin = begin;
    this.#sinceMs = elapsedMs();
    link.listen(this);
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  waitedMs(nowMs: number): number {
    return nowMs - this.#sinceMs;
  }

  /** Waits for no more. */
  settle(protocol: HttpProtocol = 'http/1.1'): void {
    this.#begin(protocol);
    if (!this.isEmpty) this.#link.data(this.#held);
  }

  data(chunk: Buffer): void {
    if (this.isEmpty) this.#sinceMs = this.#elapsedMs();
    this.#held = this.isEmpty ? chunk : Buffer.concat([this.#held, chunk]);
    const compared = Math.min(this.#held.length, BEGINNING.length);
    const isEqual = BEGINNING.compare(this.#held, 0, compared, 0, compared) === 0;
    if (!isEqual) this.settle('http/1.1');
    else if (compared === BEGINNING.length) this.settle('http/2');
  }

  ended(): void {
    this.settle();
    this.#link.ended();
  }

  drained(): void {}

  closed(): void {}
}
