// The byte stream under a connection: TLS, TCP, or a pair in memory. A codec sees nothing else of the network.
//
//   L1. A chunk that is handed over belongs to the receiver; it is never written to again. Bytes that were lent to `write`
//       are the exception: once they were said to be sent, they may be.
//   L2. `closed` is the last event and comes once, whoever closed it. After `ended` no data comes.
//   L3. Nothing is called back from within a call of `write`, `end`, `pause`, `resume` or `destroy`.
export interface ByteLink {
  /**
   * Takes the bytes; false: what waits to be sent is much, and `drained` will follow. Of bytes that are only lent, `lent`
   * hears when nobody reads them any more; a link that keeps them does not say so.
   */
  write(bytes: Buffer, lent?: Lent): boolean;
  /** No more bytes will be written; those that were are still sent. */
  end(): void;
  /** Stops data events, for back-pressure of a connection that carries one message at a time. */
  pause(): void;
  resume(): void;
  /** Gives up at once, unsent bytes included. */
  destroy(): void;
  /** Who reads this link; set once, before any event. */
  listen(events: ByteLinkEvents): void;
}

export interface ByteLinkEvents {
  data(chunk: Buffer): void;
  drained(): void;
  /** The far side writes no more. */
  ended(): void;
  /** With the platform's error where there was one. */
  closed(error: Error | undefined): void;
}

/** Who gets memory back. */
export interface Lent {
  /** Later than the write, once for each. */
  sent(): void;
}
