// How a socket that we open reads: into memory that is there already. For each read the platform would set 64 KiB aside, copy
// what came to another buffer, and pass it through a stream. A round trip of 1200 bytes costs a tenth less (bench/intake.bench.ts).
//
// The memory is one for the process: between a read and its callback the platform does nothing else. What comes is copied out
// of it, so that a chunk belongs to the receiver (byte-link.ts, L1). Where much comes, that would cost more than it saves:
// then a socket reads into buffers that it gives away.
import type { OnReadOpts } from 'node:net';

/** A body of 64 KiB comes in one read with its head, where it would take a second one for its last few hundred bytes. */
const READ_BYTES = 80 * 1024;
/** A rest smaller than this is given up: a read into it would be cut short. */
const REST_BYTES_MIN = 16 * 1024;
/** From here on a read is much: to copy it would take a buffer of its own (Node's pool serves smaller ones). */
const MUCH_BYTES = 4 * 1024;
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES);

export class Intake {
  /** The option of the socket's constructor. Its functions are called as the platform's, so `this` is not ours. */
  readonly onread: OnReadOpts = {
    buffer: () => (this.#isMuch ? this.#ownBuffer() : SHARED),
    callback: (bytes, buffer) => this.#take(bytes, buffer),
  };
  #receive: ((chunk: Buffer) => void) | undefined;
  /** What came before anybody listened; one read, since no other follows until then. */
  #early: Buffer | undefined;
  #isMuch = false;
  /** Of the buffer that was read into last: nobody has it yet. */
  #rest: Buffer = NO_BYTES;

  /** True: something is here already, and reading stands still until the socket is resumed. */
  listen(receive: (chunk: Buffer) => void): boolean {
    this.#receive = receive;
    return this.#early !== undefined;
  }

  deliverEarly(): void {
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#receive?.(early);
  }

  /** To read into, and to give away what was read. */
  #ownBuffer(): Buffer {
    if (this.#rest.length < REST_BYTES_MIN) this.#rest = Buffer.allocUnsafeSlow(READ_BYTES);
    return this.#rest;
  }

  #cut(bytes: number): Buffer {
    const chunk = this.#rest.subarray(0, bytes);
    this.#rest = this.#isMuch ? this.#rest.subarray(bytes) : NO_BYTES;
    return chunk;
  }

  /** Whether to go on reading. */
  #take(bytes: number, buffer: Uint8Array): boolean {
    this.#isMuch = bytes >= MUCH_BYTES;
    const chunk = buffer === SHARED ? copyOf(buffer, bytes) : this.#cut(bytes);
    if (this.#receive === undefined) this.#early = chunk;
    else this.#receive(chunk);
    return this.#receive !== undefined;
  }
}

const NO_BYTES = Buffer.alloc(0);

function copyOf(buffer: Uint8Array, bytes: number): Buffer {
  const chunk = Buffer.allocUnsafe(bytes);
  chunk.set(buffer.subarray(0, bytes));
  return chunk;
}
