// Where outgoing bytes are put together. A slab belongs to one connection from its first frame of a turn to the write;
// what is left of it then goes to whoever writes next. Bytes that were handed to a link are never touched again, so
// nobody has to hear when they have left, and an idle connection owns nothing.
export interface Slab {
  readonly bytes: Buffer;
  /** Everything before was handed over. */
  used: number;
}

export const SLAB_BYTES = 64 * 1024;
/** A rest too small for a full frame is left to the garbage collector. */
export const REST_BYTES_MIN = 20 * 1024;
const RESTS_MAX = 16;

/** One for the process. */
const rests: Slab[] = [];

export function takeSlab(): Slab {
  // Not `allocUnsafe`, whose pool would keep a whole slab alive for a few bytes.
  return rests.pop() ?? { bytes: Buffer.allocUnsafeSlow(SLAB_BYTES), used: 0 };
}

export function giveBackSlab(slab: Slab): void {
  if (SLAB_BYTES - slab.used >= REST_BYTES_MIN && rests.length < RESTS_MAX) rests.push(slab);
}
