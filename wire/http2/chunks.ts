// Bytes that wait: for a receiver that has paused, or for a window to open. First in, first out.
//
// A peer decides how its bytes are cut, and pays nothing for cutting them small; here every piece costs an object, and
// keeps the whole buffer alive in which it arrived. So small pieces are copied together.
const CRUMB_BYTES = 1024;
/** A piece that is less than this part of what it keeps alive is copied out. */
const SHARE_MIN = 1 / 4;
const BLOCK_BYTES = 4096;
const COMPACT_AFTER = 64;

export class Chunks {
  #buffers: Buffer[] = [];
  #first = 0;
  #bytes = 0;
  /** The block that crumbs are copied into; it is the last of the buffers as far as it is filled. */
  #block: Buffer | undefined;
  #blockUsed = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (chunk.length <= CRUMB_BYTES) this.#pushCrumb(chunk);
    else this.#pushWhole(chunk.length < chunk.buffer.byteLength * SHARE_MIN ? Buffer.from(chunk) : chunk);
  }

  /** The next bytes, in one piece of at most `bytesMax`; empty when there are none. */
  take(bytesMax: number): Buffer {
    const front = this.#buffers[this.#first];
    if (front === undefined) return EMPTY;
    const taken = front.length <= bytesMax ? front : front.subarray(0, bytesMax);
    this.#bytes -= taken.length;
    if (taken.length < front.length) this.#buffers[this.#first] = front.subarray(bytesMax);
    else this.#dropFirst();
    return taken;
  }

  #pushWhole(chunk: Buffer): void {
    this.#block = undefined;
    this.#buffers.push(chunk);
  }

  #pushCrumb(crumb: Buffer): void {
    if (this.#block === undefined || BLOCK_BYTES - this.#blockUsed < crumb.length) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#blockUsed = 0;
      this.#buffers.push(this.#block.subarray(0, 0));
    }
    const last = this.#buffers.length - 1;
    const begun = this.#buffers[last];
    // What was taken of the block already is not given again: it is only ever lengthened at its end.
    const start = this.#blockUsed - (begun?.length ?? 0);
    crumb.copy(this.#block, this.#blockUsed);
    this.#blockUsed += crumb.length;
    this.#buffers[last] = this.#block.subarray(start, this.#blockUsed);
  }

  #dropFirst(): void {
    this.#buffers[this.#first] = EMPTY;
    this.#first += 1;
    if (this.#first === this.#buffers.length) {
      this.#buffers = [];
      this.#first = 0;
      this.#block = undefined;
    } else if (this.#first >= COMPACT_AFTER) {
      this.#buffers.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

const EMPTY = Buffer.alloc(0);
