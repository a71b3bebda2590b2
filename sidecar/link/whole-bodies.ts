// Bodies that a message of gRPC carries in one piece, and that are therefore held until they are whole. Each has a bound, and all
// together have one, since how many there are is somebody else's choice.
import { HeldBytes } from '../../kit/held-bytes.ts';

export interface WholeBodies {
  /** Of one. */
  readonly bodyBytesMax: number;
  /** By all together. */
  readonly held: HeldBytes;
}

/** Of one, where the sidecar has no limit of its own: what is held has to be bounded. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Of all together: some dozens of the largest that are usual, and always four of the largest that there may be. */
const HELD_BYTES_MAX = 128 * 1024 * 1024;

/** Of a sidecar whose limit of a body this is; infinite where it has none. */
export function wholeBodies(limit: number): WholeBodies {
  const bodyBytesMax = Number.isFinite(limit) ? limit : BODY_BYTES_MAX;
  return { bodyBytesMax, held: new HeldBytes(Math.max(HELD_BYTES_MAX, 4 * bodyBytesMax)) };
}
