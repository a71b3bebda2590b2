// Where outgoing bytes are put together. A slab belongs to one connection from its first byte of a turn to the write; what is
// left of it then goes to whoever writes next, and once all that was written from it has left, all of it does. So an
// idle connection owns nothing, and a busy process writes from the same few slabs over and over: memory that is set
// aside anew for each write makes the engine collect garbage by the megabyte, which cost a third of a large body.
import type { ByteLink, Lent } from './byte-link.ts';

/**
 * A body of 64 KiB leaves in one write, whatever else is in the slab: the same in two writes is two system calls, and two
 * wake-ups of the far side. With the window (flow.ts) and the reads (socket-intake.ts) that are made for it, such a call costs
 * 1.3 to 1.4 times less of both sidecars' CPU (http-64k-at-200 of the bench).
 */
export const SLAB_BYTES = 128 * 1024;
/** A rest too small for a full frame waits until the rest of its slab is free again. */
const REST_BYTES_MIN = 20 * 1024;
/** What a process keeps when it has nothing to say: 1 MiB in all. */
const KEPT_MAX = 8;

/** With room, and taken by nobody. */
const kept: Slab[] = [];

export class Slab implements Lent {
  /** Not `allocUnsafe`, whose pool would keep a whole slab alive for a few bytes. */
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Everything before was written, or is being written. */
  used = 0;
  #state: 'taken' | 'kept' | 'spent' = 'taken';
  /** Writes whose bytes may still be read. */
  #lent = 0;

  /** With room for so many bytes, which is at most a slab. */
  static take(roomBytes: number): Slab {
    const last = kept.at(-1);
    const slab = last !== undefined && SLAB_BYTES - last.used >= roomBytes ? kept.pop() : undefined;
    if (slab === undefined) return new Slab();
    slab.#state = 'taken';
    return slab;
  }

  /** Hands what was put into it from `used` on to a link, and the slab to whoever comes next; what `ByteLink.write` says. */
  write(link: Pick<ByteLink, 'write'>, end: number): boolean {
    const start = this.used;
    this.used = end;
    if (start === end) {
      this.#giveBack();
      return true;
    }
    this.#lent++;
    const hasRoom = link.write(this.bytes.subarray(start, end), this);
    this.#giveBack();
    return hasRoom;
  }

  /** What was put into it is not to be written. */
  drop(): void {
    this.#giveBack();
  }

  sent(): void {
    this.#lent--;
    if (this.#lent > 0 || this.#state === 'taken') return;
    this.used = 0;
    if (this.#state === 'spent') this.#keep();
  }

  #giveBack(): void {
    if (this.#lent === 0) this.used = 0;
    if (SLAB_BYTES - this.used >= REST_BYTES_MIN) this.#keep();
    else this.#state = 'spent';
  }

  /** One too many is left to the garbage collector. */
  #keep(): void {
    this.#state = kept.length < KEPT_MAX ? 'kept' : 'spent';
    if (this.#state === 'kept') kept.push(this);
  }
}
