// The bounds of a connection, and what they are where nobody says otherwise.

export interface Http1Limits {
  /** Request or status line and fields; trailers have as much again. */
  readonly headBytesMax: number;
  readonly fieldsMax: number;
  /** Chunk extensions mean nothing to us: what a whole body may hold of them. */
  readonly extensionBytesMax: number;
  /** What is read ahead while an answer is under way: pipelined requests, or the first bytes of a tunnel. */
  readonly aheadBytesMax: number;
  /** The rest of a request that is read and thrown away to keep the connection, when the answer came early. */
  readonly drainBytesMax: number;
  /** The same, when the connection is closed and only waits for its client to read the answer. */
  readonly lingerBytesMax: number;
  /** Informational answers before the final one. */
  readonly informationalMax: number;
}

export const LIMITS: Http1Limits = {
  headBytesMax: 64 * 1024,
  fieldsMax: 128,
  extensionBytesMax: 4096,
  aheadBytesMax: 64 * 1024,
  drainBytesMax: 64 * 1024,
  lingerBytesMax: 64 * 1024 * 1024,
  informationalMax: 16,
};
