// Collects the bytes of a head, from its first to the empty line that ends it, however they come.
//
// Most heads come whole, and are read where they lie. Of others a copy grows here until they are whole; on that way each
// byte is looked at already, so that what can be no head (a TLS handshake, bare LFs) is refused without waiting for more.
import { type Broken, exceeded, malformed } from './broken.ts';
import { CR, LF, SPACE, TAB } from './bytes.ts';

const EMPTY_LINE = Buffer.from('\r\n\r\n');
const DEL = 0x7f;
const NOTHING = Buffer.alloc(0);

/** Looks at the first line of a head that has not come whole. */
export type LineCheck = (line: string) => Broken | undefined;

export class HeadBytes {
  readonly #bytesMax: number;
  readonly #bound: string;
  readonly #checkLine: LineCheck | undefined;
  /** What has come of a head that is not whole; of the buffer the first `#length` bytes. */
  #held: Buffer = NOTHING;
  #length = 0;
  #checked = 0;
  #isLineChecked = false;

  /**
   * The head that `push` found whole, up to its empty line, one character per byte. It is made a string once: to cut fields
   * out of a string costs a tenth of what it costs to make each of them from bytes.
   */
  text = '';
  /** Where what follows the head begins in the chunk that was pushed last. */
  next = 0;

  constructor(bytesMax: number, bound = 'head-bytes', checkLine?: LineCheck) {
    this.#bytesMax = bytesMax;
    this.#bound = bound;
    this.#checkLine = checkLine;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  push(chunk: Buffer, at: number): 'whole' | 'more' | Broken {
    if (this.#length > 0) return this.#grow(chunk, at);
    const found = chunk.indexOf(EMPTY_LINE, at);
    if (found < 0) return this.#grow(chunk, at);
    const end = found + EMPTY_LINE.length;
    if (end - at > this.#bytesMax) return this.#tooLarge(chunk.subarray(at));
    this.text = chunk.toString('latin1', at, end);
    this.next = end;
    return 'whole';
  }

  /** Lets go of the head that was found. */
  clear(): void {
    this.text = '';
    this.#held = NOTHING;
    this.#length = 0;
    this.#checked = 0;
    this.#isLineChecked = false;
  }

  #grow(chunk: Buffer, at: number): 'whole' | 'more' | Broken {
    const before = this.#length;
    const taken = Math.min(chunk.length - at, this.#bytesMax + 1 - before);
    this.#append(chunk, at, taken);
    const found = this.#held.subarray(0, this.#length).indexOf(EMPTY_LINE, Math.max(0, before - 3));
    const end = found + EMPTY_LINE.length;
    if (found >= 0 && end <= this.#bytesMax) {
      this.text = this.#held.toString('latin1', 0, end);
      this.next = at + end - before;
      return 'whole';
    }
    const flaw = this.#check();
    if (flaw !== undefined) return malformed(flaw);
    const wrongLine = this.#lineFlaw(before);
    if (wrongLine !== undefined) return wrongLine;
    return this.#length > this.#bytesMax ? exceeded(this.#bound) : 'more';
  }

  /** The copy doubles as it grows: a head that comes byte by byte must not be copied with each byte. */
  #append(chunk: Buffer, at: number, count: number): void {
    if (this.#length + count > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(512, this.#held.length * 2, this.#length + count));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#length, at, at + count);
    this.#length += count;
  }

  #tooLarge(bytes: Buffer): Broken {
    const flaw = flawIn(bytes, 0, Math.min(bytes.length, this.#bytesMax + 1)).flaw;
    return flaw === undefined ? exceeded(this.#bound) : malformed(flaw);
  }

  /** Up to `seen` there is no end of a line. */
  #lineFlaw(seen: number): Broken | undefined {
    if (this.#checkLine === undefined || this.#isLineChecked) return undefined;
    const end = this.#held.subarray(0, this.#length).indexOf(CR, seen);
    if (end < 0) return undefined;
    this.#isLineChecked = true;
    return this.#checkLine(this.#held.toString('latin1', 0, end));
  }

  #check(): string | undefined {
    const { flaw, at } = flawIn(this.#held, this.#checked, this.#length);
    this.#checked = at;
    return flaw;
  }
}

/** The first byte that no line of a head may hold, and up to where there is none. */
function flawIn(bytes: Buffer, start: number, end: number): { readonly flaw: string | undefined; readonly at: number } {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= SPACE ? byte !== DEL : byte === TAB) continue;
    if (byte === LF) return { flaw: 'bare-lf', at };
    if (byte !== CR) return { flaw: 'control-byte', at };
    if (at + 1 === end) return { flaw: undefined, at };
    if (bytes[++at] !== LF) return { flaw: 'bare-cr', at };
  }
  return { flaw: undefined, at: end };
}
